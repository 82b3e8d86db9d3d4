import { type ParamValue, readParam } from "../params.js";
import { placedSteps } from "../order.js";
import type { SpecPath, SpecProblem } from "../problems.js";
import type { SpecParam } from "../schema.js";
import { suggest } from "../suggest.js";
import { type CheckContext, problemAt, problemAtKey, repeated } from "./context.js";
import { stepPath } from "./steps.js";

/** Towpath's own variables; a spec that sets them would lie to its steps. */
const RESERVED_PREFIX = "TOWPATH_";

/** The rules of parameters, environment and secrets. */
export function checkVariables(context: CheckContext): SpecProblem[] {
  const params = Object.entries(context.spec.params ?? {});
  return [
    ...params.flatMap(([name, param]) => checkParam(context, name, param)),
    ...envPaths(context).flatMap(({ path, env }) => checkEnv(context, path, env)),
    ...checkSecrets(context),
  ];
}

function checkParam(context: CheckContext, name: string, param: SpecParam): SpecProblem[] {
  const path = ["params", name];
  const problems: SpecProblem[] = [];
  const isChoice = param.type === "choice";
  if (isChoice && param.options === undefined) {
    problems.push(problemAt(context, path, "a `choice` needs `options`"));
  }
  if (!isChoice && param.options !== undefined) {
    problems.push(problemAtKey(context, [...path, "options"], "`options` belongs to `type: choice`"));
  }
  for (const index of repeated(param.options ?? [])) {
    problems.push(problemAt(context, [...path, "options", index], "this option is listed twice"));
  }
  return [...problems, ...checkDefault(context, path, param)];
}

function checkDefault(context: CheckContext, path: SpecPath, param: SpecParam): SpecProblem[] {
  const at = [...path, "default"];
  if (param.default === undefined) {
    if (param.required === true) return [];
    return [problemAt(context, path, "a parameter needs a `default`, or `required: true`")];
  }
  if (param.required === true) {
    return [problemAtKey(context, at, "a `required` parameter has no use for a `default`")];
  }
  return wrongDefault(context, at, param, param.default);
}

function wrongDefault(
  context: CheckContext,
  at: SpecPath,
  param: SpecParam,
  value: ParamValue,
): SpecProblem[] {
  const wanted = param.type === "choice" ? "string" : param.type;
  if (typeof value !== wanted) {
    const quotes = wanted === "string" ? ": put it in quotes" : "";
    return [
      problemAt(context, at, `the default is a ${typeof value}, the parameter a ${param.type}${quotes}`),
    ];
  }
  const read = readParam(param, String(value));
  if (read.ok) return [];
  const nearest = param.type === "choice" ? suggest(String(value), param.options ?? []) : undefined;
  return [problemAt(context, at, `the default does not fit: ${read.message}`, nearest)];
}

type Env = Readonly<Record<string, string | number | boolean>>;

function envPaths({ spec }: CheckContext): { readonly path: SpecPath; readonly env: Env }[] {
  return [
    { path: ["env"], env: spec.env },
    { path: ["defaults", "env"], env: spec.defaults?.env },
    { path: ["baseline", "env"], env: spec.baseline?.env },
    { path: ["requirements", "env"], env: spec.requirements?.env },
    ...placedSteps(spec).map((placed) => ({ path: [...stepPath(placed), "env"], env: placed.step.env })),
  ].flatMap(({ path, env }) => (env === undefined ? [] : [{ path, env }]));
}

function checkEnv(context: CheckContext, path: SpecPath, env: Env): SpecProblem[] {
  const secrets = context.spec.secrets ?? [];
  return Object.entries(env).flatMap(([name, value]) => {
    const at = [...path, name];
    if (name.startsWith(RESERVED_PREFIX)) {
      return [
        problemAtKey(context, at, `\`${name}\`: names that begin with ${RESERVED_PREFIX} are Towpath's own`),
      ];
    }
    if (secrets.includes(name)) {
      return [
        problemAtKey(context, at, `\`${name}\` is a secret: its value comes from the worker's environment`),
      ];
    }
    return checkEnvValue(context, at, value);
  });
}

/** `1.10` would silently become `1.1`, and `0x1F` 31. */
function checkEnvValue(context: CheckContext, at: SpecPath, value: string | number | boolean): SpecProblem[] {
  if (typeof value === "string") {
    return value.includes("\0") ? [problemAt(context, at, "the value contains a NUL character")] : [];
  }
  const source = context.document.sourceOf(at);
  if (source === null || source === String(value)) return [];
  return [problemAt(context, at, `YAML reads \`${source}\` as ${String(value)}: put it in quotes`)];
}

function checkSecrets(context: CheckContext): SpecProblem[] {
  const secrets = context.spec.secrets ?? [];
  const own = secrets.flatMap((name, index) =>
    name.startsWith(RESERVED_PREFIX)
      ? [problemAt(context, ["secrets", index], `names that begin with ${RESERVED_PREFIX} are Towpath's own`)]
      : [],
  );
  const twice = repeated(secrets).map((index) =>
    problemAt(context, ["secrets", index], "this secret is listed twice"),
  );
  return [...own, ...twice];
}
