import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { commandEnvironment, credentialsIn, isPassedThrough } from "../../src/model/environment.js";

describe("the environment of commands", () => {
  it.each([
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "HTTP_PROXY",
    "https_proxy",
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "JAVA_HOME",
    "GOFLAGS",
    "CARGO_HOME",
    "PYENV_ROOT",
    "PIP_INDEX_URL",
    "npm_config_cache",
    "XDG_CACHE_HOME",
    "CI",
  ])("passes %s through", (name) => {
    expect(isPassedThrough(name)).toBe(true);
  });

  it.each([
    "AWS_SECRET_ACCESS_KEY",
    "GITHUB_TOKEN",
    "GIT_DIR",
    "GIT_CONFIG_GLOBAL",
    "TEMPORAL_API_KEY",
    "TOWPATH_OUT",
    "SSH_AUTH_SOCK",
    "LD_PRELOAD",
    "BASH_ENV",
    "ENV",
    "npm_config__auth",
    "npm_config_//registry.example/:_authToken",
    "NPM_CONFIG_OTP",
    "path",
    "DOCKER_HOST",
  ])("keeps %s back", (name) => {
    expect(isPassedThrough(name)).toBe(false);
  });

  it("lets the spec win over the worker, and Towpath over all", () => {
    const environment = commandEnvironment({
      base: { PATH: "/bin", LANG: "C", TERM: "xterm", GIT_DIR: "/x", TOWPATH_OUT: "/wrong", HOME: undefined },
      specEnv: { LANG: "de_DE", TOWPATH_STEP: "forged", GIT_AUTHOR_NAME: "spec" },
      secrets: { API_KEY: "k" },
      towpath: { TOWPATH_STEP: "real" },
    });
    expect(environment).toEqual({
      PATH: "/bin",
      LANG: "de_DE",
      TERM: "dumb",
      GIT_AUTHOR_NAME: "spec",
      API_KEY: "k",
      TOWPATH_STEP: "real",
    });
  });

  it("takes nothing from the worker that is not on the list", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), (base) => {
        const environment = commandEnvironment({ base, towpath: {} });
        for (const name of Object.keys(environment))
          expect(name === "TERM" || isPassedThrough(name)).toBe(true);
      }),
    );
  });

  it("finds passwords and tokens in URLs, so that they can be redacted", () => {
    const found = credentialsIn({
      HTTP_PROXY: "http://user:s3cr%40t@proxy:8080",
      PIP_EXTRA_INDEX_URL: "https://a:first@x/simple https://b:second@y/simple",
      PIP_INDEX_URL: "https://a-token-without-password@x/simple https://bob@y",
      UV_INDEX_URL: "https://u:abc@too-short",
      DATABASE_URL: "postgres://test:test-not-passed@localhost",
      PATH: "/usr/bin:/bin",
      NO_PROXY: undefined,
      GOPROXY: "https://proxy.example,direct",
    });
    expect(found.sort()).toEqual(["a-token-without-password", "first", "s3cr%40t", "s3cr@t", "second"]);
  });

  it("looks through a long value quickly", () => {
    const begin = performance.now();
    expect(credentialsIn({ PATH: "a".repeat(1_000_000), LANG: "x://".repeat(100_000) })).toEqual([]);
    expect(performance.now() - begin).toBeLessThan(30_000);
  });
});
