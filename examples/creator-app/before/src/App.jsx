import { useState } from "react";

import { AIConciergeBubble } from "./components/AIConciergeBubble.jsx";
import { DashboardDynamic } from "./components/DashboardDynamic.jsx";
import { SignIn } from "./components/SignIn.jsx";
import { Tools } from "./components/Tools.jsx";
import { useI18n } from "./lib/i18n.jsx";
import { signOut, useUser } from "./lib/session.js";

const Logo = () => (
  <svg className="logo" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="9" />
    <path d="M18 5 9 18h6l-1 9 9-13h-6z" />
  </svg>
);

const Languages = () => {
  const { t, language, setLanguage } = useI18n();
  return (
    <div className="languages" role="group" aria-label={t("language")}>
      {["es", "en"].map((code) => (
        <button key={code} type="button" aria-pressed={language === code} onClick={() => setLanguage(code)}>
          {code.toUpperCase()}
        </button>
      ))}
    </div>
  );
};

const PAGES = { tools: Tools, dashboard: DashboardDynamic };

export const App = () => {
  const { t } = useI18n();
  const user = useUser();
  const [page, setPage] = useState("tools");
  const Page = PAGES[page];

  return (
    <>
      <header className="top">
        <div className="brand">
          <Logo />
          <span>Chispa</span>
        </div>
        {user && (
          <nav aria-label={t("sections")}>
            {Object.keys(PAGES).map((name) => (
              <button
                key={name}
                type="button"
                aria-current={page === name ? "page" : undefined}
                onClick={() => setPage(name)}
              >
                {t(name)}
              </button>
            ))}
          </nav>
        )}
        <div className="account">
          <Languages />
          {user && (
            <>
              <span className="email">{user.email}</span>
              <button type="button" className="quiet" onClick={signOut}>
                {t("signOut")}
              </button>
            </>
          )}
        </div>
      </header>
      <main>{user ? <Page /> : <SignIn />}</main>
      {user && <AIConciergeBubble />}
    </>
  );
};
