import { defineConfig } from "vitest/config";
import base from "./vitest.config.js";

/** `npm run record`: writes the histories that the replay tests replay. */
export default defineConfig({ test: { ...base.test, include: ["test/histories/record.ts"] } });
