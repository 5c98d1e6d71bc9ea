import { useI18n } from "../lib/i18n.jsx";

// The words of whoever refused, and the way out where there is one.
export const ErrorNote = ({ error }) => {
  const { t } = useI18n();
  if (!error) return null;
  return (
    <div className="error" role="alert">
      <p>{error.message}</p>
      {error.topupUrl && (
        <a className="button" href={error.topupUrl}>
          {t("topUp")}
        </a>
      )}
    </div>
  );
};
