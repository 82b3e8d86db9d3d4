import { createHash } from "node:crypto";
import { closeDescriptors, openInput } from "../process/pipes.js";
import { askKept, expectQuestion } from "./kept-process.js";
import { repositoryPlace, type Worktree } from "./places.js";
import type { Identity } from "./repository.js";
import { gitText } from "./run.js";

/** A commit with one parent, dated in UTC. */
export interface CommitContent {
  readonly tree: string;
  readonly parent: string;
  readonly author: Identity;
  readonly committer: Identity;
  /** Seconds since the epoch, of both. */
  readonly seconds: number;
  /** With its trailers, ending in a newline. */
  readonly message: string;
}

/**
 * Writes a commit into the repository, by a git process that is kept where that can be done; durable when this returns.
 * @returns its id
 * @throws TowpathError `GitFailed`
 */
export async function writeCommit(
  worktree: Worktree,
  content: CommitContent,
  signal?: AbortSignal,
): Promise<string> {
  signal?.throwIfAborted();
  return (await writeByKeptProcess(worktree, content)) ?? writeByCommitTree(worktree, content, signal);
}

/** Says that a commit will be written soon, so that the process which writes it starts meanwhile. */
export function expectCommit(worktree: Worktree): void {
  expectQuestion(worktree, WRITING, isObjectId);
}

const WRITING = ["hash-object", "-t", "commit", "-w", "--no-filters", "--stdin-paths"];

/** Names that git takes as they are; of others it leaves characters out. */
const PLAIN_NAME = /^[^\p{Cc}\s.,:;<>"\\'](?:[^\p{Cc}<>]*[^\p{Cc}\s.,:;<>"\\'])?$/u;

/** What git would read when it is told to read this descriptor. */
const DESCRIPTORS = process.platform === "linux" ? `/proc/${process.pid}/fd` : null;

async function writeByKeptProcess(worktree: Worktree, content: CommitContent): Promise<string | null> {
  const { author, committer, message } = content;
  const names = [author.name, author.email, committer.name, committer.email];
  if (DESCRIPTORS === null || message.includes("\0") || !names.every((name) => PLAIN_NAME.test(name)))
    return null;
  const text = commitText(content);
  const file = await openInput(text);
  try {
    const answer = await askKept(worktree, WRITING, isObjectId, `${DESCRIPTORS}/${file}\n`);
    return answer === objectId(text, content.tree.length) ? answer : null;
  } finally {
    closeDescriptors(file);
  }
}

function isObjectId(line: string): boolean {
  return /^[0-9a-f]+$/.test(line);
}

function commitText({ tree, parent, author, committer, seconds, message }: CommitContent): string {
  const by = ({ name, email }: Identity): string => `${name} <${email}> ${seconds} +0000`;
  const head = [`tree ${tree}`, `parent ${parent}`, `author ${by(author)}`, `committer ${by(committer)}`];
  return `${head.join("\n")}\n\n${message}`;
}

function objectId(text: string, length: number): string {
  const hash = createHash(length === 64 ? "sha256" : "sha1");
  return hash
    .update(`commit ${Buffer.byteLength(text)}\0`)
    .update(text)
    .digest("hex");
}

async function writeByCommitTree(
  worktree: Worktree,
  { tree, parent, author, committer, seconds, message }: CommitContent,
  signal?: AbortSignal,
): Promise<string> {
  const date = `@${seconds} +0000`;
  return gitText(repositoryPlace(worktree), ["commit-tree", "-p", parent, "-F", "-", tree], {
    signal,
    input: message,
    env: {
      GIT_AUTHOR_NAME: author.name,
      GIT_AUTHOR_EMAIL: author.email,
      GIT_AUTHOR_DATE: date,
      GIT_COMMITTER_NAME: committer.name,
      GIT_COMMITTER_EMAIL: committer.email,
      GIT_COMMITTER_DATE: date,
    },
  });
}
