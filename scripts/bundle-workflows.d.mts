export function bundleWorkflows(dist: string, workflowsPath?: string): Promise<void>;
