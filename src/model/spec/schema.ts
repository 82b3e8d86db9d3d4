import { z } from "zod";
import { referenceProblem } from "../images/reference.js";
import { DURATION_PATTERN, MAX_APPROVAL_MS, MAX_COMMAND_MS, parseDuration } from "./durations.js";

const DURATION_HELP = "a duration is a whole number and a unit, as in 500ms, 30s, 10m, 2h, 7d";
export const STEP_ID_PATTERN = /^[A-Za-z0-9_-]{1,63}$/;
export const NAME_PATTERN = /^[A-Za-z_][A-Za-z0-9_-]{0,99}$/;
export const ENV_NAME_PATTERN = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Printable text on one line: it ends up in tables, search attributes and commit subjects. */
const LINE_PATTERN = /^[^\p{Cc}\u2028\u2029]*\S[^\p{Cc}\u2028\u2029]*$/u;

function duration(maxMs: number, limit: string) {
  return z
    .string({ error: DURATION_HELP })
    .regex(DURATION_PATTERN, { error: DURATION_HELP, abort: true })
    .refine((text) => (parseDuration(text) ?? 0) <= maxMs, { error: `a duration of at most ${limit}` });
}

const Duration = duration(MAX_COMMAND_MS, "30d");
const ApprovalDuration = duration(MAX_APPROVAL_MS, "365d");

const Line = z.string().max(200).regex(LINE_PATTERN, "expected text on one line, not empty");
const Script = z.string().regex(/\S/, "the script is empty");
const Scripts = z.union([Script, z.array(Script).min(1)]);
/** Strings, and whatever YAML makes of an unquoted `8080` or `true`; stored as text. */
const EnvValue = z.union([z.string(), z.number(), z.boolean()]);
const Env = z.record(
  z
    .string()
    .regex(ENV_NAME_PATTERN, "a name consists of letters, digits and _, and does not begin with a digit"),
  EnvValue,
);
const StepId = z
  .string()
  .regex(STEP_ID_PATTERN, "an id consists of letters, digits, _ and -, at most 63 of them")
  .refine((id) => id !== "__proto__", "the id is reserved");
const StepIds = z.union([StepId, z.array(StepId)]);
const Path = z.string().min(1);

export const PARAM_TYPES = ["string", "number", "boolean", "choice"] as const;

export const SpecParam = z
  .strictObject({
    type: z.enum(PARAM_TYPES).meta({ description: "What values the parameter takes." }),
    description: z.string().optional(),
    required: z.boolean().optional().meta({ description: "It must be given with --param name=value." }),
    default: z
      .union([z.string(), z.number(), z.boolean()])
      .optional()
      .meta({ description: "The value where none is given." }),
    options: z.array(z.string()).min(1).optional().meta({ description: "With `type: choice`: the values." }),
  })
  .meta({ description: "A typed parameter, given with --param name=value." });
export type SpecParam = z.infer<typeof SpecParam>;

export const SpecRetry = z
  .strictObject({
    "max-attempts": z
      .int()
      .min(1)
      .max(100)
      .optional()
      .meta({ description: "How often a step is tried, the first attempt included. Default 1." }),
    backoff: Duration.optional().meta({ description: "Pause before the next attempt. Default 5s." }),
    feedback: z
      .boolean()
      .optional()
      .meta({ description: "Give the failure to the next attempt. Default: true for agents, else false." }),
  })
  .meta({ description: "What happens after an attempt that failed and was undone." });

export const SpecWorkspace = z
  .strictObject({
    base: Line.optional().meta({ description: "Commit, branch or tag to start from. Default: HEAD." }),
    setup: Script.optional().meta({ description: "Run in each fresh worktree, before anything else." }),
    exclude: z
      .array(z.string().min(1))
      .optional()
      .meta({ description: "Patterns as in .gitignore: never committed, never cleaned." }),
  })
  .meta({ description: "The migration's own git worktree." });

const Timeouts = {
  timeout: Duration.optional().meta({ description: "Longest run time. Default 60m." }),
  "idle-timeout": Duration.optional().meta({
    description: "Longest silence; silence means hung. Default: 10m for agents, else none.",
  }),
};

const ImageName = z.string().superRefine((text, context) => {
  const problem = referenceProblem(text);
  if (problem !== null) context.addIssue(`\`${text}\` is no image: ${problem}`);
});

/** The host's own network, and another container's, are no isolation. */
const Network = z
  .string()
  .regex(
    /^(?!host$)[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/,
    "`none`, `bridge`, or the name of a network; not the host's",
  );

const USER_HELP = "a user is a number, or uid:gid, and not root";

const ContainerFields = z.strictObject({
  image: ImageName.optional().meta({ description: "Default: the image of `defaults.container`." }),
  network: Network.optional().meta({ description: "Default none." }),
  memory: z
    .string()
    .regex(/^\d{1,9}(\.\d{1,3})?[bkmg]$/i, "memory is a number and a unit, as in 512m, 2g")
    .optional()
    .meta({ description: "Default 4g." }),
  cpus: z.number().min(0.01).max(1024).optional().meta({ description: "Default 2." }),
  pids: z
    .int()
    .min(8)
    .max(1_000_000)
    .optional()
    .meta({ description: "Processes and threads. Default 2048." }),
  env: Env.optional().meta({ description: "Environment inside the container, over the image's own." }),
  user: z
    .union([z.int().min(1, USER_HELP), z.string().regex(/^[1-9]\d{0,9}(:\d{1,10})?$/, USER_HELP)])
    .optional()
    .meta({ description: "Default: whoever owns the workspace." }),
  prune: z
    .boolean()
    .optional()
    .meta({ description: "false: the image is not pulled anew, and none of its predecessors is removed." }),
});

export const SpecContainer = z
  .union([ImageName, ContainerFields, z.literal(false)])
  .meta({ description: "Runs commands in a container: an image, or its settings; false: on the host." });
export type SpecContainer = z.infer<typeof SpecContainer>;

export const SpecDefaults = z
  .strictObject({
    ...Timeouts,
    retry: SpecRetry.optional(),
    env: Env.optional().meta({ description: "Environment of all steps." }),
    container: SpecContainer.optional(),
  })
  .meta({ description: "What holds for every step that says nothing else." });

export const SpecRequirements = z
  .strictObject({
    generate: Script.meta({
      description:
        "Writes the requirements document: any program; the prompt on stdin and in $TOWPATH_PROMPT.",
    }),
    prompt: z
      .string()
      .regex(/\S/, "the prompt is empty")
      .optional()
      .meta({ description: "What the program is told. Default: a prompt of Towpath's." }),
    document: Path.optional().meta({
      description: "The file below $TOWPATH_OUT that it writes. Default: what it writes to stdout.",
    }),
    env: Env.optional(),
    ...Timeouts,
  })
  .meta({ description: "How the requirements document is generated. Default: a survey of the codebase." });

const Report = Path.meta({ description: "JUnit XML: a file, or a glob, below $TOWPATH_OUT." });
const WorkingDirectory = Path.meta({ description: "Relative to the project's directory." });

export const SpecBaseline = z
  .strictObject({
    run: Script.meta({ description: "Runs the tests; they may fail, what counts is the report." }),
    report: Report,
    env: Env.optional(),
    "working-directory": WorkingDirectory.optional(),
    ...Timeouts,
  })
  .meta({ description: "Run once on the untouched base commit; gates compare with its report." });

export const SpecAgent = z
  .strictObject({
    command: Script.meta({ description: "Any program: the prompt on stdin, in the worktree." }),
    prompt: z.string().regex(/\S/, "the prompt is empty"),
  })
  .meta({ description: "A program that edits the worktree as a prompt tells it." });

export const SpecScope = z
  .strictObject({
    include: z.array(Path).min(1).optional().meta({ description: "Globs of what the step may change." }),
    protect: z.array(Path).min(1).optional().meta({ description: "Globs of what it must not change." }),
  })
  .meta({ description: "Enforced from the diff: a change outside fails the attempt." });

export const SpecStep = z
  .strictObject({
    id: StepId,
    name: Line.optional().meta({ description: "For people." }),
    uses: z.literal("survey").optional().meta({ description: "A built-in step." }),
    with: z
      .strictObject({
        ignore: z.array(Path).optional().meta({ description: "Globs that the survey leaves out." }),
      })
      .optional()
      .meta({ description: "Settings of the built-in step." }),
    run: Script.optional().meta({ description: "A script for bash -e -o pipefail." }),
    agent: SpecAgent.optional(),
    container: SpecContainer.optional(),
    needs: StepIds.optional().meta({ description: "Ids of steps that come first." }),
    depends_on: StepIds.optional().meta({ description: "Another word for `needs`." }),
    if: z
      .union([z.string(), z.boolean()])
      .optional()
      .meta({ description: "Expression; where it is false the step is skipped." }),
    env: Env.optional(),
    "working-directory": WorkingDirectory.optional(),
    ...Timeouts,
    retry: SpecRetry.optional(),
    verify: Scripts.optional().meta({ description: "Scripts that must pass before the step is committed." }),
    commit: Script.optional().meta({ description: "Message of the step's commit." }),
    scope: SpecScope.optional(),
    report: Report.optional(),
    clean: z
      .literal("all")
      .optional()
      .meta({ description: "Undoing an attempt also removes what git ignores." }),
    "continue-on-error": z
      .boolean()
      .optional()
      .meta({ description: "The migration goes on although the step failed." }),
    outputs: z
      .array(z.string().regex(NAME_PATTERN, "an output's name consists of letters, digits, _ and -"))
      .optional()
      .meta({ description: "Names that the step writes to $TOWPATH_OUTPUT; given, others are refused." }),
  })
  .meta({
    description: "One change with its tests: exactly one of `run`, `agent` and `uses`.",
    oneOf: [{ required: ["run"] }, { required: ["agent"] }, { required: ["uses"] }],
  });
export type SpecStep = z.infer<typeof SpecStep>;

export const NEWLY_SKIPPED = ["refuse", "approve"] as const;
export const TEST_IDENTITIES = ["classname-and-name", "name"] as const;

export const SpecGate = z
  .strictObject({
    tests: z
      .strictObject({
        "no-new-failures": z
          .literal(true, {
            error: "`no-new-failures` can only be true: leave `tests` out to compare no tests",
          })
          .optional(),
        identity: z
          .enum(TEST_IDENTITIES)
          .optional()
          .meta({ description: "What makes a test the same test. Default classname-and-name." }),
        allow: z
          .array(z.string().min(1))
          .optional()
          .meta({ description: "Identities of tests that may be missing or skipped." }),
        "newly-skipped": z
          .enum(NEWLY_SKIPPED)
          .optional()
          .meta({ description: "Tests skipped that were not: close the gate, or need approval by name." }),
      })
      .optional()
      .meta({ description: "Compares the phase's last report with the baseline, test by test." }),
    ratchet: z
      .array(
        z.strictObject({
          name: Line,
          run: Script.meta({ description: "Prints one number." }),
          max: z.number().nonnegative().meta({ description: "The largest number that passes." }),
        }),
      )
      .min(1)
      .optional(),
    run: Scripts.optional().meta({ description: "Scripts that must exit with 0." }),
    approval: z
      .strictObject({
        required: z.int().min(1).max(20).optional().meta({ description: "How many people. Default 1." }),
        timeout: ApprovalDuration.optional(),
        "on-timeout": z
          .enum(["reject", "pause"])
          .optional()
          .meta({ description: "What happens when nobody answered in time. Default pause." }),
      })
      .optional(),
  })
  .meta({ description: "What must hold to leave the phase." });
export type SpecGate = z.infer<typeof SpecGate>;

export const FEATURE_RISKS = ["low", "medium", "high"] as const;

export const SpecFeature = z
  .strictObject({
    id: Line,
    description: z.string().regex(/\S/, "the description is empty"),
    test: Script.meta({ description: "Exit code 0 is a pass." }),
    "test-after": Script.optional().meta({ description: "The same test behind the migration." }),
    category: z.string().optional(),
    risk: z.enum(FEATURE_RISKS).optional(),
    notes: z.string().optional(),
  })
  .meta({ description: "A behaviour that the migration must keep." });
export type SpecFeature = z.infer<typeof SpecFeature>;

const phaseShape = {
  steps: z.array(SpecStep).optional(),
  gate: SpecGate.optional(),
  manual: z.boolean().optional().meta({ description: "A person opens the next phase." }),
};
export const SpecPhase = z.strictObject(phaseShape);
export const SpecGuardrailPhase = z.strictObject({
  ...phaseShape,
  features: z.union([z.literal("from-baseline"), z.array(SpecFeature).min(1)]).optional(),
});

export const Spec = z
  .strictObject({
    $schema: z.string().optional().meta({ description: "For editors." }),
    version: z.literal(1, { error: "this version of Towpath reads `version: 1`" }),
    name: Line.meta({ description: "The migration's name, for people." }),
    description: z.string().optional(),
    target: Line.meta({ description: "What the code is migrated to." }),
    params: z
      .record(
        z.string().regex(NAME_PATTERN, "a parameter's name consists of letters, digits, _ and -"),
        SpecParam,
      )
      .optional(),
    env: Env.optional().meta({ description: "Environment of every command." }),
    workspace: SpecWorkspace.optional(),
    secrets: z
      .array(z.string().regex(ENV_NAME_PATTERN, "a secret is named by its environment variable"))
      .optional()
      .meta({ description: "Names of variables in the worker's environment; their values are redacted." }),
    defaults: SpecDefaults.optional(),
    requirements: SpecRequirements.optional(),
    baseline: SpecBaseline.optional(),
    phases: z
      .strictObject({
        understand: SpecPhase.optional(),
        guardrail: SpecGuardrailPhase.optional(),
        migrate: SpecPhase.optional(),
        verify: SpecPhase.optional(),
      })
      .meta({ description: "The phases, each with steps and the gate behind them." }),
  })
  .meta({ title: "Towpath migration spec", description: "What a code migration does, phase by phase." });
/** A `towpath.yaml` as it was written: keys in kebab-case, durations as text, nothing defaulted. */
export type Spec = z.infer<typeof Spec>;
