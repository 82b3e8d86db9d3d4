import { secretTooShort } from "./redaction.js";

/**
 * The environment of commands is made from an allow-list, so that a step sees what it needs to find its tools and nothing that
 * happens to be in the worker's environment (tokens, Temporal's keys, git's overrides).
 */

/** Names passed through from the worker's environment when they are set there, a line for each concern. */
const ALLOWED_NAMES: ReadonlySet<string> = new Set(
  `
  PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR TMP TEMP CI
  HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY FTP_PROXY http_proxy https_proxy all_proxy no_proxy ftp_proxy
  SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE REQUESTS_CA_BUNDLE NODE_EXTRA_CA_CERTS NIX_SSL_CERT_FILE
  NODE_PATH NODE_OPTIONS NVM_DIR NVM_BIN VOLTA_HOME FNM_DIR COREPACK_HOME PNPM_HOME YARN_CACHE_FOLDER BUN_INSTALL DENO_DIR
  VIRTUAL_ENV PYENV_ROOT PYENV_VERSION PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE PYTHONUTF8 CONDA_PREFIX
  UV_CACHE_DIR UV_INDEX_URL UV_DEFAULT_INDEX UV_PYTHON_INSTALL_DIR POETRY_HOME PIPX_HOME
  JAVA_HOME JDK_HOME JAVA_TOOL_OPTIONS MAVEN_HOME M2_HOME MAVEN_OPTS MAVEN_ARGS SDKMAN_DIR
  GRADLE_HOME GRADLE_USER_HOME GRADLE_OPTS ANDROID_HOME ANDROID_SDK_ROOT
  GOROOT GOPATH GOBIN GOCACHE GOMODCACHE GOFLAGS GOPROXY GONOPROXY GOPRIVATE GOSUMDB GONOSUMDB GOTOOLCHAIN GOENV
  CGO_ENABLED CC CXX CFLAGS CXXFLAGS CPPFLAGS LDFLAGS PKG_CONFIG_PATH MAKEFLAGS LD_LIBRARY_PATH DYLD_LIBRARY_PATH
  CARGO_HOME RUSTUP_HOME RUSTUP_TOOLCHAIN RUSTFLAGS
  GEM_HOME GEM_PATH BUNDLE_PATH BUNDLE_GEMFILE RBENV_ROOT COMPOSER_HOME DOTNET_ROOT NUGET_PACKAGES
  ASDF_DIR ASDF_DATA_DIR MISE_DATA_DIR NIX_PROFILES HOMEBREW_PREFIX
  `
    .trim()
    .split(/\s+/),
);

/** Families of names; npm reads its settings in either case. */
const ALLOWED_PREFIXES = ["LC_", "XDG_", "PIP_", "npm_config_", "NPM_CONFIG_"];

/** Within the families, settings that carry credentials: those come as named secrets of the spec, or not at all. */
const CREDENTIAL_NAME = /auth|token|passw|secret|otp|_key$|_cert$/i;

/** True when a variable of the worker's own environment reaches the commands without being named in the spec. */
export function isPassedThrough(name: string): boolean {
  if (ALLOWED_NAMES.has(name)) return true;
  return ALLOWED_PREFIXES.some((prefix) => name.startsWith(prefix)) && !CREDENTIAL_NAME.test(name);
}

export type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The complete environment of a command, later ones winning: what passes of `base` (the worker's own environment), `TERM=dumb`,
 * the spec's `env`, the named secrets, and Towpath's own `TOWPATH_*`. GIT_*, TEMPORAL_* and TOWPATH_* of `base` never pass.
 */
export function commandEnvironment(parts: {
  readonly base: Variables;
  readonly specEnv?: Variables;
  readonly secrets?: Variables;
  readonly towpath: Variables;
}): Record<string, string> {
  const passed = Object.entries(parts.base).filter(([name]) => isPassedThrough(name));
  const named = [parts.specEnv ?? {}, parts.secrets ?? {}, parts.towpath].flatMap((variables) =>
    Object.entries(variables),
  );
  const environment: Record<string, string> = {};
  for (const [name, value] of [...passed, ["TERM", "dumb"] as const, ...named])
    if (value !== undefined) environment[name] = value;
  return environment;
}

/** `scheme://user:password@`; a long name without a password is a token. Lengths are bounded, as values may be anything. */
const USER_INFO = /\b[a-z][a-z0-9+.-]{0,30}:\/\/([^\s:@/]{0,1000})(?::([^\s@/]{0,1000}))?@/gi;
const TOKEN_LENGTH = 16;

/**
 * Passwords and tokens inside URLs of what passes through (a proxy's, a package index's): they pass because the tools need
 * them, and are redacted like secrets, as written and percent-decoded. Those too short to be redacted are left out.
 */
export function credentialsIn(environment: Variables): string[] {
  const values = Object.entries(environment).map(([name, value]) =>
    isPassedThrough(name) ? (value ?? "") : "",
  );
  const found = values.flatMap((value) => Array.from(value.matchAll(USER_INFO))).flatMap(credentialsOf);
  return [...new Set(found.flatMap((text) => [text, percentDecoded(text)]))].filter(
    (text) => !secretTooShort(text),
  );
}

function credentialsOf([, user = "", password = ""]: readonly string[]): string[] {
  return user.length >= TOKEN_LENGTH ? [user, password] : [password];
}

function percentDecoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (bytes) =>
    new TextDecoder().decode(Uint8Array.from(bytes.slice(1).split("%"), (byte) => Number.parseInt(byte, 16))),
  );
}
