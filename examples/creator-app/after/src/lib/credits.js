// The credits of the user, as the server keeps them.
import { ai } from "./aiOrchestrator.js";

export const getCredits = () => ai.credits();
