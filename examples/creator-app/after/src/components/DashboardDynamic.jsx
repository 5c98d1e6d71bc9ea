import { useEffect, useState } from "react";

import { getCredits } from "../lib/credits.js";
import { useHistory } from "../lib/history.js";
import { useI18n } from "../lib/i18n.jsx";
import { ErrorNote } from "./ErrorNote.jsx";

const Stat = ({ name, value, note }) => (
  <div className="card stat" role="group" aria-label={name}>
    <span>{name}</span>
    <strong>{value}</strong>
    <span>{note}</span>
  </div>
);

const ByProvider = ({ answers }) => {
  const { t } = useI18n();
  const groups = Object.groupBy(answers, (one) => one.provider);
  const counts = Object.entries(groups).map(([name, { length }]) => [name, length]);
  const most = Math.max(...counts.map(([, count]) => count));
  return (
    <section className="card" aria-label={t("byProvider")}>
      <h2>{t("byProvider")}</h2>
      <ul className="bars">
        {counts.map(([name, count]) => (
          <li key={name}>
            <span>{name}</span>
            <span className="bar">
              <i style={{ width: `${(100 * count) / most}%` }} />
            </span>
            <b>{count}</b>
          </li>
        ))}
      </ul>
    </section>
  );
};

const LastAnswers = ({ answers }) => {
  const { t, language } = useI18n();
  const time = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
  return (
    <section className="card" aria-label={t("lastAnswers")}>
      <h2>{t("lastAnswers")}</h2>
      <ul className="answers">
        {answers.slice(0, 6).map((one) => (
          <li key={one.at}>
            <div>
              <strong>{t(one.task)}</strong>
              <time dateTime={new Date(one.at).toISOString()}>{time.format(one.at)}</time>
            </div>
            <p>{one.content}</p>
            <span className="fact">{one.provider}</span>
            <span className="fact">{one.tokens} tokens</span>
          </li>
        ))}
      </ul>
    </section>
  );
};

export const DashboardDynamic = () => {
  const { t, language } = useI18n();
  const answers = useHistory();
  const [credits, setCredits] = useState(null);
  const [error, setError] = useState(null);
  const number = new Intl.NumberFormat(language);
  const tokens = answers.reduce((sum, one) => sum + one.tokens, 0);

  useEffect(() => {
    let left = false;
    getCredits().then(
      ({ available }) => left || setCredits(available),
      (problem) => left || setError(problem),
    );
    return () => {
      left = true;
    };
  }, [answers]);

  return (
    <>
      <h1>{t("dashboardTitle")}</h1>
      <p className="lead">{t("dashboardText")}</p>
      <ErrorNote error={error} />
      <div className="stats">
        <Stat name={t("credits")} value={credits === null ? "…" : number.format(credits)} note={t("creditsText")} />
        <Stat name={t("answers")} value={number.format(answers.length)} note={t("answersText")} />
        <Stat name={t("tokens")} value={number.format(tokens)} note={t("tokensText")} />
      </div>
      {answers.length === 0 ? (
        <p className="card empty">{t("nothingYet")}</p>
      ) : (
        <div className="columns">
          <LastAnswers answers={answers} />
          <ByProvider answers={answers} />
        </div>
      )}
    </>
  );
};
