export { host } from "./host.js";
export { imageRefresh } from "./image-refresh.js";
export { migration } from "./migration.js";
export { orphanSweep } from "./orphan-sweep.js";
