/** Where workflow code comes from: bundled at build time, or bundled when the worker starts. */
export type WorkflowSource =
  { readonly bundlePath: string } | { readonly sourcePath: string; readonly traced: boolean };

/** What a worker runs. */
export interface WorkerParts {
  /** Functions by activity name. */
  readonly activities: object;
  readonly workflows: WorkflowSource;
}
