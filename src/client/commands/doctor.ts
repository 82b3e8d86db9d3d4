import picocolors from "picocolors";
import { packageVersion } from "../../adapters/installation/version.js";
import { dataDirectory } from "../../adapters/store/data-directory.js";
import type { CommandBody } from "../command.js";
import { guarded, ok, type Finding } from "../doctor/finding.js";
import { checkData, checkTools } from "../doctor/machine.js";
import { checkTemporal, checkWorker } from "../doctor/temporal.js";
import { printable } from "../printable.js";

const MARKS = { ok: picocolors.green("ok  "), warn: picocolors.yellow("warn"), fail: picocolors.red("fail") };

/** `towpath doctor`: starts nothing. Ends with 1 when something that is needed fails. */
export const doctor: CommandBody = async (_input, context) => {
  const dataDir = dataDirectory(context.env);
  const findings: Finding[] = [
    ok("towpath", packageVersion()),
    ...(await checkTools(context.env)),
    ...(await guarded("data", () => checkData(dataDir))),
    ...(await guarded("temporal", () => checkTemporal(context.env, dataDir))),
    ...(await guarded("worker", async () => [await checkWorker(dataDir)])),
  ];
  const healthy = findings.every((finding) => finding.level !== "fail");
  return {
    text: findings.map(line).join("\n"),
    data: { healthy, findings },
    exitCode: healthy ? 0 : 1,
  };
};

function line({ subject, level, message, advice }: Finding): string {
  const first = `${MARKS[level]}  ${subject.padEnd(8)}  ${printable(message)}`;
  return advice === "" ? first : `${first}\n${" ".repeat(16)}${printable(advice)}`;
}
