import { SEARCH_ATTRIBUTES } from "../../model/visibility.js";

/** `key=<JSON>`. Keep in step with docs/: each setting was measured (reference: reliability, "Embedded server settings"). */
export const DYNAMIC_CONFIG = [
  // The one shard's queues are read 20 times a second by default, which costs 50 ms a dispatch.
  "history.transferProcessorMaxPollRPS=2000",
  "history.timerProcessorMaxPollRPS=2000",
  "history.visibilityProcessorMaxPollRPS=2000",
  // Four partitions add outliers of 2 s on a machine with few pollers.
  "matching.numTaskqueueReadPartitions=1",
  "matching.numTaskqueueWritePartitions=1",
  // Timers and retries below a second take a whole one otherwise.
  'history.timerProcessorMaxTimeShift="10ms"',
  "system.enableActivityEagerExecution=true",
  // Ten requests to one migration at a time by default; the next ones are refused after some tries.
  "history.maxInFlightUpdates=1000",
  // One question to one migration at a time by default; two who look at once would be told that it is too busy.
  "history.MaxBufferedQueryCount=100",
  // The server asks a host on the internet for new versions otherwise.
  "frontend.enableServerVersionCheck=false",
] as const;

const SQLITE_PRAGMAS = ["journal_mode=WAL", "synchronous=NORMAL"] as const;

/** What makes the dev server quick, for every way of starting it (the tests' servers in memory too). */
export const LOW_LATENCY_ARGUMENTS: string[] = [
  ...DYNAMIC_CONFIG.flatMap((setting) => ["--dynamic-config-value", setting]),
  ...SQLITE_PRAGMAS.flatMap((pragma) => ["--sqlite-pragma", pragma]),
];

export interface ServerPorts {
  readonly grpc: number;
  readonly ui: number;
}

/** The command line of the embedded server. Nothing of the user's own Temporal configuration reaches it. */
export function serverArguments(databasePath: string, ports: ServerPorts): string[] {
  const command =
    "--disable-config-file --disable-config-env --log-level error server start-dev --ip 127.0.0.1";
  return [
    ...command.split(" "),
    "--port",
    String(ports.grpc),
    "--ui-port",
    String(ports.ui),
    "--db-filename",
    databasePath,
    // Registered before the first client comes, so that nobody has to wait for them.
    ...Object.entries(SEARCH_ATTRIBUTES).flatMap(([name, type]) => [
      "--search-attribute",
      `${name}=${type === "INT" ? "Int" : "Keyword"}`,
    ]),
    ...LOW_LATENCY_ARGUMENTS,
  ];
}

const PASSED = ["PATH", "HOME", "TMPDIR", "LANG", "TZ", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] as const;

/** The server's environment: what a process needs to run, and none of the user's secrets. */
export function serverEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const name of PASSED) {
    const value = env[name];
    if (value !== undefined) passed[name] = value;
  }
  return passed;
}
