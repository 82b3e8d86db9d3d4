export { changes, type ChangesRequest } from "./changes.js";
export {
  advanceBranch,
  buildCommit,
  findStepCommit,
  type BuiltCommit,
  type CommitRequest,
} from "./commit.js";
export { diff, type DiffRequest } from "./diff.js";
export {
  changedConfiguration,
  configurationFingerprint,
  requireSameConfiguration,
  type ConfigurationFingerprint,
} from "./fingerprint.js";
export { headDrift, headState, type HeadState } from "./head.js";
export { removeStaleLocks } from "./locks.js";
export { MIGRATION_TRAILER, STEP_TRAILER } from "./message.js";
export type { Repository, Worktree } from "./places.js";
export {
  createCheckpointTag,
  deleteTag,
  keepUndoneHead,
  listTags,
  type Tag,
  type TagRequest,
} from "./refs.js";
export { openRepository, resolveCommit, treeOf, userIdentity, type Identity } from "./repository.js";
export { undo, type UndoRequest } from "./undo.js";
export {
  findWorktree,
  layWorktree,
  removeWorktree,
  type LaidWorktree,
  type WorktreeRequest,
} from "./worktree.js";
