import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The page and relevo share an origin here; on a host, a rewrite of /api/ai does the same.
const relevo = process.env.RELEVO_URL || "http://127.0.0.1:8787";

export default defineConfig({
  plugins: [react()],
  server: { port: 5173, proxy: { "/api/ai": relevo } },
  optimizeDeps: { include: ["relevo"] }, // it is a link to a folder outside of this one
});
