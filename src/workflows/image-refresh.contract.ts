/** What clients start by name. */
export const IMAGE_REFRESH_WORKFLOW = "imageRefresh";
export const ORPHAN_SWEEP_WORKFLOW = "orphanSweep";
