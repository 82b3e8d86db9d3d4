import { writeFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { readRootFiles, surveyCodebase } from "../../adapters/codebase/survey.js";
import { readable } from "../../adapters/git/paths.js";
import { projectFiles } from "../../adapters/git/project-files.js";
import { openRepository } from "../../adapters/git/repository.js";
import { messageOf, TowpathError } from "../../model/errors.js";
import { requireSpec } from "../../model/spec/parse.js";
import { ROOT_FILES } from "../../model/starter/project.js";
import { starterSpec } from "../../model/starter/starter-spec.js";
import type { CommandBody } from "../command.js";
import { readInput } from "../input.js";
import { SPEC_FILE_NAME } from "../migrations/spec-file.js";
import { printableBlock } from "../printable.js";
import { hasCode } from "../../model/system-errors.js";

const Input = z.object({
  arguments: z.tuple([z.string().optional()]),
  options: z.object({
    target: z.string().min(1).max(200).default("next"),
    force: z.boolean().default(false),
  }),
});

/** Never overwrites unless told to: the file may be somebody's work. */
async function writeSpec(file: string, text: string, force: boolean): Promise<void> {
  try {
    await writeFile(file, text, { flag: force ? "w" : "wx" });
  } catch (error) {
    if (hasCode(error, "EEXIST")) {
      throw new TowpathError("Usage", `${file} exists already; --force overwrites it.`, { cause: error });
    }
    throw new TowpathError("StorageFailed", `Cannot write ${file}: ${messageOf(error)}`, { cause: error });
  }
}

/** `towpath init` */
export const init: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  const directory = path.resolve(context.cwd, args[0] ?? ".");
  const repository = await openRepository(directory);
  const files = (await projectFiles(repository)).map((file) => readable(file.path));
  const project = {
    survey: await surveyCodebase(directory, { files }),
    directory: path.basename(directory) || "project",
    files: await readRootFiles(directory, ROOT_FILES),
  };
  const { text, ecosystem, runner } = starterSpec(project, { target: options.target });
  const file = path.join(directory, SPEC_FILE_NAME);
  requireSpec(text, { fileName: file });
  await writeSpec(file, text, options.force);
  return {
    text: printableBlock(
      [
        `Wrote ${path.relative(context.cwd, file) || file}: ${ecosystem ?? "tests"} by ${runner}.`,
        "Put your change into its migrate phase, commit it, then look before you start:",
        "  towpath start --dry-run",
      ].join("\n"),
    ),
    data: { file, ecosystem, runner, target: options.target },
  };
};
