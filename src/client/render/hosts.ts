import type { HostView } from "../hosts/hosts.js";
import { table, type Column } from "./table.js";
import { relativeTime } from "./time.js";

const COLUMNS: readonly Column[] = [
  { title: "HOST", minimum: 20 },
  { title: "STATE" },
  { title: "SEEN" },
  { title: "MIGRATIONS", align: "right" },
  { title: "RUNNING", align: "right", rank: 4 },
  { title: "LOAD", align: "right", rank: 5 },
  { title: "FREE", align: "right", rank: 3 },
  { title: "ENGINE", minimum: 10, rank: 2 },
  { title: "VERSION", rank: 1 },
];

function engineText(host: HostView): string {
  const engine = host.record?.engine ?? null;
  if (engine === null) return host.record === null ? "" : "none";
  return engine.problem === null ? engine.host : `${engine.host}: ${engine.problem}`;
}

function row(host: HostView, now: Date): string[] {
  const { record } = host;
  const free = record?.freeBytes ?? null;
  return [
    host.hostId,
    host.isHere ? "here" : "gone",
    host.lastSeen === null ? "never" : relativeTime(host.lastSeen, now),
    String(host.migrations),
    record === null ? "" : `${record.running}/${record.slots}`,
    record === null ? "" : `${record.loadAverage.toFixed(1)}/${record.cpus}`,
    free === null ? "" : `${(free / 1024 ** 3).toFixed(1)} GiB`,
    engineText(host),
    record?.version ?? "",
  ];
}

/** The hosts as a table, in the order given. */
export function renderHosts(hosts: readonly HostView[], now: Date, width?: number): string {
  if (hosts.length === 0) return "No hosts. A host is there once its worker has run: towpath up";
  return table(
    COLUMNS,
    hosts.map((host) => row(host, now)),
    width,
  );
}
