export { migration } from "./migration.js";
