import path from "node:path";
import { z } from "zod";
import { stepsInOrder } from "../../model/spec/order.js";
import { parseSpec } from "../../model/spec/parse.js";
import { formatProblem, type SpecProblem } from "../../model/spec/problems.js";
import type { Spec } from "../../model/spec/schema.js";
import type { CommandBody, CommandResult } from "../command.js";
import { EXIT_CODES } from "../errors.js";
import { readInput } from "../input.js";
import { SPEC_FILE_NAME, requireSpecFile } from "../migrations/spec-file.js";
import { printableBlock } from "../printable.js";

const Input = z.object({ arguments: z.tuple([z.string().optional()]) });

function invalid(file: string, problems: readonly SpecProblem[]): CommandResult {
  const lines = problems.map((problem) => formatProblem(file, problem));
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return {
    text: printableBlock([...lines, count].join("\n")),
    data: {
      file,
      valid: false,
      problems: problems.map(({ message, path: where, line, column, suggestion }) => ({
        message,
        path: where,
        line,
        column,
        suggestion: suggestion ?? null,
      })),
    },
    exitCode: EXIT_CODES.usage,
  };
}

function valid(file: string, spec: Spec): CommandResult {
  const steps = stepsInOrder(spec);
  const count = steps.length === 1 ? "1 step" : `${steps.length} steps`;
  return {
    text: printableBlock(`${file}: valid (${spec.name} → ${spec.target}, ${count})`),
    data: { file, valid: true, name: spec.name, target: spec.target, steps, problems: [] },
  };
}

/** `towpath validate`: problems are its answer, not an error of the command. */
export const validate: CommandBody = async (input, context) => {
  const [file = SPEC_FILE_NAME] = readInput(Input, input).arguments;
  const { shown, fileName, text } = await requireSpecFile(path.resolve(context.cwd, file), context.cwd);
  const parsed = parseSpec(text, { fileName });
  return parsed.ok ? valid(shown, parsed.spec) : invalid(shown, parsed.problems);
};
