import { z } from "zod";

/** What every container of Towpath's says of itself; identity is these and the container's id, never its name. */
export const ContainerIdentity = z.object({
  kind: z.enum(["step", "setup", "baseline", "gate"]),
  /** Temporal's namespace. */
  namespace: z.string(),
  workflowId: z.string(),
  runId: z.string(),
  /** A step's id, `setup`, `baseline`, or `gate-<phase>`. */
  stepId: z.string(),
  attempt: z.coerce.number().int().positive(),
  /** Which command of the attempt: `run`, `verify-1`… */
  command: z.string(),
  /** {@link projectIdSource}, hashed. */
  projectId: z.string(),
  /** Real path of the project. */
  projectDir: z.string(),
  hostId: z.string(),
  /** ISO-8601 UTC. */
  createdAt: z.string(),
  /** Names of the variables whose values are secrets, with commas between. */
  secretNames: z.string(),
});
export type ContainerIdentity = z.infer<typeof ContainerIdentity>;

export const MANAGED_LABEL = "towpath.managed";

const LABELS: Readonly<Record<keyof ContainerIdentity, string>> = {
  kind: "towpath.kind",
  namespace: "towpath.namespace",
  workflowId: "towpath.workflow-id",
  runId: "towpath.run-id",
  stepId: "towpath.step-id",
  attempt: "towpath.attempt",
  command: "towpath.command",
  projectId: "towpath.project-id",
  projectDir: "towpath.project-dir",
  hostId: "towpath.host-id",
  createdAt: "towpath.created-at",
  secretNames: "towpath.secret-names",
};

/** The labels of a container. */
export function labelsOf(identity: ContainerIdentity): Record<string, string> {
  const labels: Record<string, string> = { [MANAGED_LABEL]: "true" };
  for (const key of ContainerIdentity.keyof().options) labels[LABELS[key]] = String(identity[key]);
  return labels;
}

/** Who a container is by its labels; null where it is none of ours. */
export function identityOf(labels: Readonly<Record<string, string>>): ContainerIdentity | null {
  if (labels[MANAGED_LABEL] !== "true") return null;
  const values = ContainerIdentity.keyof().options.map((key) => [key, labels[LABELS[key]]]);
  const parsed = ContainerIdentity.safeParse(Object.fromEntries(values));
  return parsed.success ? parsed.data : null;
}

/**
 * True when a container says of itself only what its image says: the image was made of one of Towpath's containers
 * (`docker commit`), and what somebody runs in it is none of them.
 */
export function isInherited(
  identity: ContainerIdentity,
  imageLabels: Readonly<Record<string, string>>,
): boolean {
  const ofImage = identityOf(imageLabels);
  return ofImage !== null && ContainerIdentity.keyof().options.every((key) => ofImage[key] === identity[key]);
}

/** True when two containers would run the same command of the same attempt; one of them is too many. */
export function sameCommand(a: ContainerIdentity, b: ContainerIdentity): boolean {
  return (
    a.namespace === b.namespace &&
    a.workflowId === b.workflowId &&
    a.hostId === b.hostId &&
    a.stepId === b.stepId &&
    a.attempt === b.attempt &&
    a.command === b.command
  );
}

/** What a project's id is the sha256 of: the same path on another host is another project. */
export function projectIdSource(realPath: string, hostId: string): string {
  return `${realPath}\0${hostId}`;
}

export interface ContainerNameParts {
  /** sha256 of the project's real path, hex. */
  readonly pathDigest: string;
  /** sha256 of the migration's id, hex. */
  readonly migrationDigest: string;
  readonly stepId: string;
  readonly attempt: number;
  readonly command: string;
}

/** A name that people recognise, and that only one command of one attempt can have. */
export function containerName(parts: ContainerNameParts): string {
  const { pathDigest, migrationDigest, stepId, attempt, command } = parts;
  return `towpath-${pathDigest.slice(0, 12)}-${migrationDigest.slice(0, 8)}-${stepId}-${attempt}-${command}`;
}
