// For NODE_OPTIONS=--import: OpenTelemetry's packages are looked for where there are none, as if they were not installed.
import { register } from "node:module";

const hooks = `
export function resolve(specifier, context, next) {
  const optional = /^@(opentelemetry\\/|temporalio\\/interceptors-opentelemetry)/.test(specifier);
  return next(specifier, optional ? { ...context, parentURL: "file:///nowhere/module.js" } : context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
