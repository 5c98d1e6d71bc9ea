import { useState } from "react";

import { analyzePremiumContent, chatWithAI, generateViralScript } from "../lib/aiOrchestrator.js";
import { remember } from "../lib/history.js";
import { useI18n } from "../lib/i18n.jsx";
import { ErrorNote } from "./ErrorNote.jsx";
import { Icon } from "./Icon.jsx";
import { ProviderTrail } from "./ProviderTrail.jsx";

const TOOLS = [
  { task: "LONG_CONTENT", icon: "script", field: "topic", platforms: true, run: generateViralScript },
  { task: "PREMIUM_ANALYSIS", icon: "chart", field: "content", run: analyzePremiumContent },
  { task: "CHAT", icon: "idea", field: "question", run: chatWithAI },
];
const PLATFORMS = ["TikTok", "Instagram", "YouTube Shorts"];

const Result = ({ state }) => {
  const { t } = useI18n();
  const [copied, setCopied] = useState(false);
  const { answer, tried, busy, error } = state;

  const copy = async () => {
    await navigator.clipboard.writeText(answer.content);
    setCopied(true);
  };

  return (
    <section className="card result" aria-label={t("result")} aria-live="polite" aria-busy={busy}>
      <ProviderTrail tried={tried} done={Boolean(answer)} error={error} />
      {busy && (
        <div className="skeleton" role="status">
          <span className="hidden">{t("generating")}</span>
        </div>
      )}
      {answer && (
        <>
          <p className="text">{answer.content}</p>
          <footer>
            <span className="fact">{answer.model}</span>
            <span className="fact">{answer.usage?.total_tokens ?? 0} tokens</span>
            <button type="button" className="quiet" onClick={copy}>
              {copied ? t("copied") : t("copy")}
            </button>
          </footer>
        </>
      )}
      <ErrorNote error={error} />
      {!busy && !answer && !error && <p className="empty">{t("resultEmpty")}</p>}
    </section>
  );
};

const IDLE = { tried: [], busy: false };

const Tool = ({ tool }) => {
  const { t } = useI18n();
  const [state, setState] = useState(IDLE);

  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const prompt = t(`${tool.task}_prompt`, { text: form.get("text"), platform: form.get("platform") });
    setState({ ...IDLE, busy: true });
    const onProviderSwitch = (name) => setState((now) => ({ ...now, tried: [...now.tried, name] }));
    try {
      const answer = await tool.run(prompt, { onProviderSwitch });
      remember({ ...answer, task: tool.task, prompt: form.get("text") });
      setState((now) => ({ ...now, busy: false, answer }));
    } catch (error) {
      setState((now) => ({ ...now, busy: false, error }));
    }
  };

  return (
    <div className="workbench">
      <form className="card" onSubmit={submit}>
        <label>
          {t(tool.field)}
          <textarea name="text" rows="4" required defaultValue={t(`${tool.field}_example`)} />
        </label>
        {tool.platforms && (
          <label>
            {t("platform")}
            <select name="platform">
              {PLATFORMS.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        )}
        <button type="submit" className="primary" disabled={state.busy}>
          {state.busy ? t("generating") : t("generate")}
        </button>
      </form>
      <Result state={state} />
    </div>
  );
};

export const Tools = () => {
  const { t, language } = useI18n();
  const [task, setTask] = useState(TOOLS[0].task);
  const tool = TOOLS.find((one) => one.task === task);

  return (
    <>
      <h1>{t("toolsTitle")}</h1>
      <p className="lead">{t("toolsText")}</p>
      <div className="tiles" role="group" aria-label={t("tools")}>
        {TOOLS.map((one) => (
          <button
            key={one.task}
            type="button"
            className="tile"
            aria-pressed={one.task === task}
            onClick={() => setTask(one.task)}
          >
            <Icon name={one.icon} />
            <strong>{t(one.task)}</strong>
            <span>{t(`${one.task}_text`)}</span>
          </button>
        ))}
      </div>
      <Tool key={task + language} tool={tool} />
    </>
  );
};
