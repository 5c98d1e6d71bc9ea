// The credits of this browser. Whoever opens the developer tools writes the number they like.
const STORED = "chispa.credits";
const SIGNUP = 3000;
const PRICES = { LONG_CONTENT: 20, PREMIUM_ANALYSIS: 15, CHAT: 2 };

const balance = () => Number(localStorage.getItem(STORED) ?? SIGNUP);

export const getCredits = async () => ({ available: balance() });

export const spendCredits = (taskType) => {
  const left = balance() - PRICES[taskType];
  if (left < 0) {
    throw Object.assign(new Error("Créditos insuficientes"), { topupUrl: "https://chispa.example/planes" });
  }
  localStorage.setItem(STORED, left);
};
