/** Bundles the CLI that was compiled into `dist`, into `dist/cli`. */
export function bundleCli(dist: string): Promise<void>;
