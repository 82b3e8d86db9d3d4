import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ClusterBinaries } from "../cluster/binaries.js";
import type { Content } from "./root-file-system.js";

const SHELL = [
  "cat",
  "chmod",
  "chown",
  "cp",
  "date",
  "dirname",
  "env",
  "find",
  "grep",
  "id",
  "ln",
  "ls",
  "mkdir",
  "mv",
  "rm",
];
const COREUTILS = [
  ...SHELL,
  "mkfifo",
  "mktemp",
  "printf",
  "pwd",
  "readlink",
  "realpath",
  "rmdir",
  "sed",
  "seq",
  "sleep",
  "sort",
  "stat",
  "tee",
  "test",
  "timeout",
  "touch",
  "true",
  "uname",
  "wc",
];

/** A Debian with Node, as the worker's image is made on. */
export function nodeStandIn(): Content {
  const prefix = dirname(dirname(process.execPath));
  return {
    programs: [
      ...COREUTILS,
      "basename",
      "bash",
      "sh",
      "comm",
      "cut",
      "diff",
      "flock",
      "git",
      "head",
      "kill",
      "node",
      "ps",
      "setsid",
      "ssh",
      "tail",
      "tar",
      "tr",
      "xargs",
      "/usr/lib/git-core/git-remote-http",
    ],
    trees: ["/usr/lib/git-core", join(prefix, "lib/node_modules/npm"), join(prefix, "bin/npm"), "/etc/ssl"],
  };
}

/** PostgreSQL as this machine has it; its image is told the same as the official one. */
export async function postgresStandIn(): Promise<Content> {
  const [version = ""] = (await readdir("/usr/lib/postgresql")).sort((a, b) => Number(b) - Number(a));
  const bin = join("/usr/lib/postgresql", version, "bin");
  return {
    programs: [
      ...SHELL,
      "sh",
      "setpriv",
      ...["initdb", "pg_isready", "postgres", "psql"].map((name) => join(bin, name)),
    ],
    trees: [
      join("/usr/lib/postgresql", version, "lib"),
      join("/usr/share/postgresql", version),
      ...timeZones(),
    ],
    files: {
      "/usr/local/bin/pg_isready": `#!/bin/sh\nexec ${bin}/pg_isready "$@"\n`,
      "/usr/local/bin/run-postgres": `#!/bin/sh
set -eu
data=/var/lib/postgresql/data
mkdir -p "$data" && chown postgres:postgres "$data" && chmod 700 "$data"
as() { setpriv --reuid=999 --regid=999 --clear-groups "$@"; }
if [ ! -e "$data/PG_VERSION" ]; then
  printf '%s' "$POSTGRES_PASSWORD" > /tmp/password && chown postgres /tmp/password
  as ${bin}/initdb -D "$data" -U "$POSTGRES_USER" --pwfile=/tmp/password --auth=scram-sha-256 -E UTF8 --locale=C
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> "$data/pg_hba.conf"
fi
exec setpriv --reuid=999 --regid=999 --clear-groups ${bin}/postgres -D "$data" -k /tmp -c listen_addresses='*'
`,
    },
  };
}

function timeZones(): string[] {
  return existsSync("/usr/share/zoneinfo/UTC") ? ["/usr/share/zoneinfo"] : [];
}

export function serverStandIn({ server }: ClusterBinaries): Content {
  return {
    programs: ["busybox"],
    applets: ["sh", "true"],
    renamed: { "/usr/local/bin/temporal-server": server },
    // Busybox's own has no -z, which only looks whether somebody listens.
    files: { "/usr/local/bin/nc": '#!/bin/sh\nexec busybox nc "$2" "$3" -e true\n' },
  };
}

/** @param cli the Temporal CLI */
export function toolsStandIn({ sql, schema }: ClusterBinaries, cli: string): Content {
  return {
    programs: ["busybox"],
    applets: ["sh"],
    renamed: {
      "/usr/local/bin/temporal-sql-tool": sql,
      "/usr/local/bin/temporal": cli,
      "/etc/temporal/schema/postgresql/v12": schema,
    },
  };
}

/** The Web UI, which is told by environment where Temporal is. */
export function uiStandIn({ ui }: ClusterBinaries): Content {
  return {
    programs: ["busybox"],
    applets: ["sh", "mkdir", "cat"],
    renamed: { "/usr/local/bin/ui-server": ui },
    files: {
      "/usr/local/bin/run-ui": `#!/bin/sh
set -eu
mkdir -p /tmp/ui
cat > /tmp/ui/development.yaml <<END
temporalGrpcAddress: $TEMPORAL_ADDRESS
host: 0.0.0.0
port: 8080
enableUi: true
cors: { cookieInsecure: true, allowOrigins: ["http://127.0.0.1:8080"] }
END
exec ui-server --root /tmp --config ui start
`,
    },
  };
}
