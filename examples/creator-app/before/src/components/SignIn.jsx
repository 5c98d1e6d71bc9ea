import { useState } from "react";

import { useI18n } from "../lib/i18n.jsx";
import { signIn } from "../lib/session.js";
import { ErrorNote } from "./ErrorNote.jsx";

export const SignIn = () => {
  const { t } = useI18n();
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);

  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    try {
      await signIn(form.get("email"), form.get("password"));
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };

  return (
    <section className="sign-in">
      <div className="hero">
        <h1>{t("welcome")}</h1>
        <p>{t("welcomeText")}</p>
      </div>
      <form className="card" onSubmit={submit}>
        <label>
          {t("email")}
          <input name="email" type="email" autoComplete="username" required placeholder="ana@example.com" />
        </label>
        <label>
          {t("password")}
          <input name="password" type="password" autoComplete="current-password" required />
        </label>
        <ErrorNote error={error} />
        <button type="submit" className="primary" disabled={busy}>
          {t("signIn")}
        </button>
      </form>
    </section>
  );
};
