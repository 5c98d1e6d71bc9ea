import { useI18n } from "../lib/i18n.jsx";

// Who was asked, in order: all but the last did not answer, and with an error not even that one.
export const ProviderTrail = ({ tried, done, error }) => {
  const { t } = useI18n();
  if (tried.length === 0) return null;
  return (
    <ol className="trail">
      {tried.map((name, i) => {
        const state = error || i < tried.length - 1 ? "failed" : done ? "answered" : "asking";
        return (
          <li key={name} className={state}>
            <span className="dot" aria-hidden="true" />
            {name}
            <span className="hidden"> {t(state)}</span>
          </li>
        );
      })}
    </ol>
  );
};
