// Drawn here, because not every machine has a font with pictures.
const ICONS = {
  script: "M4 6h16v12H4zM4 10h16M8 6l-2 4M13 6l-2 4M18 6l-2 4",
  chart: "M4 4v16h16M8 15l4-5 3 3 5-7",
  idea: "M9 18h6M10 21h4M12 3a6 6 0 0 0-3.5 10.9V15h7v-1.1A6 6 0 0 0 12 3z",
};

export const Icon = ({ name }) => (
  <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d={ICONS[name]} />
  </svg>
);
