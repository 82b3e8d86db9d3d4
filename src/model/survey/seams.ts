import type { Seam } from "../seams.js";
import { type ExternalFact, type HubFact, type ModuleFact, type SurveyFacts, byText } from "./facts.js";

const MAX_MODULES = 100;
const MAX_HUBS = 15;
const MAX_EXTERNALS = 25;
/** A file, or a package, that fewer use is no boundary worth naming. */
const MIN_HUB_IMPORTERS = 3;
const MIN_EXTERNAL_FILES = 2;
const SAMPLE = 5;

interface Candidate {
  readonly seam: Seam;
  /** Fan-in times size: what a change there moves. */
  readonly weight: number;
}

function slug(text: string): string {
  const plain = text
    .replaceAll(/[^A-Za-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "")
    .toLowerCase();
  return plain === "" ? "root" : plain;
}

function complexity(lines: number): string {
  if (lines >= 2_000) return "high";
  return lines >= 400 ? "medium" : "low";
}

/** What is read off import statements is never certain. */
function rounded(value: number): number {
  return Math.round(Math.min(0.95, Math.max(0, value)) * 100) / 100;
}

function sample(items: readonly string[]): string {
  const shown = items
    .slice(0, SAMPLE)
    .map((item) => `\`${item}\``)
    .join(", ");
  return items.length > SAMPLE ? `${shown} and ${items.length - SAMPLE} more` : shown;
}

/** The more files use a boundary, and the more imports were understood, the surer it is one. */
function confidence(users: number, resolvedShare: number): number {
  return rounded((0.4 + 0.12 * Math.min(5, users)) * (0.5 + 0.5 * resolvedShare));
}

function moduleSeam(module: ModuleFact, facts: SurveyFacts): Candidate {
  const entries = module.entries.map(({ path }) => path);
  const used = `used by ${module.fanIn} files of other modules`;
  return {
    weight: (1 + module.fanIn) * Math.max(1, module.lines),
    seam: {
      id: `module-${slug(module.name)}`,
      description: `Module ${module.name}: ${module.fileCount} files, ${module.lines} lines, ${used}`,
      type: "module",
      location: module.name,
      name: module.name,
      priority: "low",
      files: [...module.files],
      dependencies: module.imports.map((each) => each.module),
      complexity: complexity(module.lines),
      confidence: confidence(module.fanIn, facts.resolvedShare),
      suggested_interface:
        entries.length === 0
          ? "No other module imports it: it can be changed by itself"
          : `Keep what others import from ${sample(entries)}`,
    },
  };
}

function hubSeam(hub: HubFact, facts: SurveyFacts): Candidate {
  return {
    weight: (1 + hub.importers) * Math.max(1, hub.lines),
    seam: {
      id: `file-${slug(hub.path)}`,
      description: `File ${hub.path}: imported by ${hub.importers} files`,
      type: "file",
      location: hub.path,
      name: hub.path.slice(hub.path.lastIndexOf("/") + 1),
      priority: "low",
      files: [hub.path],
      dependencies: [],
      complexity: complexity(hub.lines),
      confidence: confidence(hub.importers, facts.resolvedShare),
      suggested_interface: `Keep what \`${hub.path}\` exports, or change its ${hub.importers} importers with it`,
    },
  };
}

function externalSeam(external: ExternalFact, lines: number): Candidate {
  return {
    weight: external.fileCount * lines,
    seam: {
      id: `dependency-${slug(external.name)}`,
      description: `Dependency ${external.name}: imported by ${external.fileCount} files`,
      type: "dependency",
      location: external.files[0] ?? "",
      name: external.name,
      priority: "low",
      files: [...external.files],
      dependencies: [],
      complexity: external.fileCount >= 20 ? "high" : external.fileCount >= 5 ? "medium" : "low",
      confidence: rounded(0.5 + 0.05 * Math.min(8, external.fileCount)),
      suggested_interface: `Put one module of the project in front of \`${external.name}\``,
    },
  };
}

function candidates(facts: SurveyFacts): Candidate[] {
  const modules = facts.modules.filter(({ isTest }) => !isTest);
  const average = Math.max(1, Math.round(facts.lines / Math.max(1, facts.files)));
  return [
    ...heaviest(
      modules.map((module) => moduleSeam(module, facts)),
      MAX_MODULES,
    ),
    ...facts.hubs
      .filter(({ importers }) => importers >= MIN_HUB_IMPORTERS)
      .slice(0, MAX_HUBS)
      .map((hub) => hubSeam(hub, facts)),
    ...facts.externals
      .filter(({ fileCount }) => fileCount >= MIN_EXTERNAL_FILES)
      .slice(0, MAX_EXTERNALS)
      .map((external) => externalSeam(external, average)),
  ];
}

function heaviest(all: readonly Candidate[], limit: number): Candidate[] {
  return [...all].sort((a, b) => b.weight - a.weight || byText(a.seam.id, b.seam.id)).slice(0, limit);
}

/** By rank, so that one giant does not make all others look alike. */
function priority(rank: number, count: number): string {
  if (rank < count / 5) return "high";
  return rank < count / 2 ? "medium" : "low";
}

/** Two names can have one slug; the second one gets a number. */
function uniqueIds(seams: readonly Seam[]): Seam[] {
  const used = new Map<string, number>();
  return seams.map((seam) => {
    const count = (used.get(seam.id) ?? 0) + 1;
    used.set(seam.id, count);
    return count === 1 ? seam : Object.assign({}, seam, { id: `${seam.id}-${count}` });
  });
}

/**
 * Boundaries along which the code can be changed: modules, files that many import, packages that many files use. The
 * heaviest (fan-in times size) come first and have the highest priority.
 */
export function findSeams(facts: SurveyFacts): Seam[] {
  const all = candidates(facts);
  const ordered = heaviest(all, all.length);
  return uniqueIds(
    ordered.map(({ seam }, rank) => Object.assign({}, seam, { priority: priority(rank, ordered.length) })),
  );
}
