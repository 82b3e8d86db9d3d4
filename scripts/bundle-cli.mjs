// Bundles the CLI, so that a command loads a few files instead of hundreds: half of its time went there.
import { readFile } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import { build } from "esbuild";

const BESIDE = ["@temporalio/worker", "@temporalio/testing", "@temporalio/core-bridge", "dockerode", "tsx"];

/** @param dist the directory that src/ was compiled into; the bundle is made in its `cli/` */
export async function bundleCli(dist) {
  const outdir = resolve(dist, "cli");
  await build({
    entryPoints: [resolve(dist, "client/main.js")],
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    // Native code, what it is loaded with, and what runs beside it: from node_modules, as ever. Also what is optional.
    external: [...BESIDE, "@opentelemetry/*", "@temporalio/interceptors-opentelemetry"],
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
    sourcemap: "linked",
    sourcesContent: false,
    logLevel: "warning",
    plugins: [staysWhereItIs(dist, outdir)],
  });
}

/** Modules that look for files beside them go on to do so; the worker is not bundled. */
function staysWhereItIs(dist, outdir) {
  return {
    name: "stays-where-it-is",
    setup(bundler) {
      bundler.onResolve({ filter: /\/commands\/worker\.js$/ }, ({ path, resolveDir }) => ({
        path: `./${relative(outdir, resolve(resolveDir, path))}`,
        external: true,
      }));
      // Zod's messages are wanted in English; its 50 other languages were most of what a command loaded.
      bundler.onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, () => ({
        contents: 'export { default as en } from "./en.js";',
        loader: "js",
      }));
      bundler.onLoad({ filter: /\.js$/ }, async ({ path }) => {
        if (relative(dist, path).startsWith("..")) return undefined;
        const text = await readFile(path, "utf8");
        const own = JSON.stringify(relative(outdir, path));
        const contents = text.replaceAll("import.meta.url", `new URL(${own}, import.meta.url).href`);
        return { contents, loader: "js", resolveDir: dirname(path) };
      });
    },
  };
}
