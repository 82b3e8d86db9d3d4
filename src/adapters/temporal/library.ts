/** What of Temporal's client is loaded only when it is needed, under a path that a bundler can follow. */
export { Client, Connection } from "@temporalio/client";
export { dataConverterOf } from "./encryption/data-converter.js";
