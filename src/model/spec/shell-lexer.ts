import type { Hole } from "./templates.js";

/**
 * Where in a bash script a hole stands. A reference to a variable can be written so that its value stays one word in
 * all but `refused`: there bash would not expand it, or would take the value itself for code.
 */
export type ShellContext = "word" | "double" | "single" | "heredoc" | "comment" | "refused";

interface Frame {
  readonly kind: "code" | "double" | "heredoc" | "braces" | "arithmetic" | "backtick";
  /** Open parentheses, or braces, inside of this frame. */
  depth: number;
  /** Open `case … esac`, whose patterns end in a parenthesis of their own. */
  cases: number;
  /** Where the simple command began that is being read. */
  command: number;
}

interface Heredoc {
  readonly delimiter: string;
  readonly expands: boolean;
  readonly tabs: boolean;
}

const HEREDOC = /<<(?<tabs>-?)[ \t]*(?<word>(?:\\.|'[^'\n]*'|"[^"\n]*"|[^\s;|&<>()'"\\])+)/y;
const WORD = /[A-Za-z_]+/y;
/** Builtins that evaluate their arguments once more, and shells that are given a script. */
const EVALUATES =
  /^\s*(?:(?:if|then|else|elif|while|until|do|!|time|command|builtin|exec|env|sudo)\s+|\w+=\S*\s+)*(?:(?:eval|let|trap|alias)\s|(?:unset|read|mapfile|readarray|getopts)\s[^<]*$|printf\s+-v|(?:test|\[|\[\[)\s(?:.*\s)?-v\s|(?:declare|typeset|local|readonly|export)\s+-\w*[ianA]|(?:\S*\/)?(?:ba|da|z|k|a)?sh\s(?:.*\s)?-\w*c\s)/s;
const ARITHMETIC_TEST = /\s-(?:eq|ne|lt|le|gt|ge)\s/;
const SUBSCRIPT = /(?:^|[\s;({])[A-Za-z_]\w*\[(?:[^\]\s"']*|["'])$|\$\[[^\]]*$/;

function frame(kind: Frame["kind"], command: number): Frame {
  return { kind, depth: 0, cases: 0, command };
}

/** Reads a script once, from left to right, and notes the context of each hole. */
export class ShellLexer {
  private readonly stack: Frame[];
  private readonly pending: Heredoc[] = [];
  private readonly contexts = new Map<number, ShellContext>();
  private readonly holes: ReadonlyMap<number, Hole>;
  private index = 0;

  constructor(
    private readonly script: string,
    holes: readonly Hole[],
  ) {
    this.holes = new Map(holes.map((hole) => [hole.start, hole]));
    this.stack = [frame("code", 0)];
  }

  /** The context of each hole, by where it starts. */
  read(): ReadonlyMap<number, ShellContext> {
    while (this.index < this.script.length) this.step(this.script.length);
    return this.contexts;
  }

  private top(): Frame {
    return this.stack.at(-1) ?? frame("code", this.index);
  }

  private step(end: number): void {
    const hole = this.holes.get(this.index);
    if (hole !== undefined) return this.takeHole(hole);
    const char = this.script[this.index];
    if (char === "\\") this.index += 2;
    else if (char === "\n") this.newline(end);
    else if (char === "`") this.backtick();
    else if (char === "$") this.dollar();
    else this.inFrame(char ?? "");
  }

  private takeHole(hole: Hole): void {
    this.contexts.set(hole.start, this.contextOf(hole));
    this.index = hole.end;
  }

  private contextOf(hole: Hole): ShellContext {
    const { kind, command } = this.top();
    if (
      this.stack.some(({ kind: each }) => each === "braces" || each === "arithmetic" || each === "backtick")
    ) {
      return "refused";
    }
    if (kind === "heredoc") return "heredoc";
    const before = this.script.slice(this.enclosingCommand(command), hole.start);
    if (this.isEvaluated(before, hole)) return "refused";
    return kind === "double" ? "double" : "word";
  }

  /** Whether bash evaluates what stands there a second time, as a command or as arithmetic. */
  private isEvaluated(before: string, hole: Hole): boolean {
    return EVALUATES.test(`${before} `) || SUBSCRIPT.test(before) || this.inArithmeticTest(before, hole);
  }

  /** Inside quotes the command is the one around them. */
  private enclosingCommand(command: number): number {
    if (this.top().kind !== "double") return command;
    return this.stack.findLast(({ kind }) => kind === "code")?.command ?? command;
  }

  private inArithmeticTest(before: string, hole: Hole): boolean {
    const open = before.lastIndexOf("[[");
    if (open < 0 || before.includes("]]", open)) return false;
    const close = this.script.indexOf("]]", hole.end);
    const inside = before.slice(open) + this.script.slice(hole.start, close < 0 ? undefined : close);
    return ARITHMETIC_TEST.test(inside);
  }

  private inFrame(char: string): void {
    switch (this.top().kind) {
      case "double":
        if (char === '"') this.stack.pop();
        this.index++;
        return;
      case "heredoc":
        this.index++;
        return;
      case "braces":
        return this.nested(char, "{", "}");
      case "arithmetic":
        return this.nested(char, "(", ")");
      case "backtick":
      case "code":
        return this.code(char);
    }
  }

  private nested(char: string, open: string, close: string): void {
    const current = this.top();
    if (char === "'" && current.kind === "braces") return this.singleQuotes();
    this.index++;
    if (char === '"') this.stack.push(frame("double", current.command));
    else if (char === open) current.depth++;
    else if (char === close && current.depth-- === 0) this.stack.pop();
  }

  private code(char: string): void {
    const current = this.top();
    if (char === "'") return this.singleQuotes();
    if (char === "#" && this.atWordStart()) return this.comment();
    if (char === "<" && this.heredocStart()) return;
    if (char === "(" && this.script[this.index + 1] === "(" && this.atWordStart()) return this.arithmetic(2);
    if (/[A-Za-z_]/.test(char)) return this.word();
    this.index++;
    if (char === '"') this.stack.push(frame("double", current.command));
    else if (char === "(") current.depth++;
    else if (char === ")") this.closeParenthesis(current);
    if (/[;|&()]/.test(char)) this.top().command = this.index;
  }

  private closeParenthesis(current: Frame): void {
    if (current.depth > 0) current.depth--;
    else if (current.cases === 0 && this.stack.length > 1 && current.kind === "code") this.stack.pop();
  }

  private word(): void {
    const atStart = this.atWordStart();
    WORD.lastIndex = this.index;
    const word = WORD.exec(this.script)?.[0] ?? "";
    this.index += Math.max(1, word.length);
    const current = this.top();
    if (!atStart) return;
    if (word === "case") current.cases++;
    else if (word === "esac" && current.cases > 0) current.cases--;
  }

  private atWordStart(): boolean {
    const before = this.script[this.index - 1];
    return this.index === 0 || before === undefined || /[\s;|&()`]/.test(before);
  }

  /** Words in single quotes need no expansion but the holes' own. */
  private singleQuotes(): void {
    this.index++;
    while (this.index < this.script.length && this.script[this.index] !== "'") {
      const hole = this.holes.get(this.index);
      if (hole === undefined) {
        this.index++;
        continue;
      }
      const context = this.contextOf(hole);
      this.contexts.set(hole.start, context === "refused" ? context : "single");
      this.index = hole.end;
    }
    this.index++;
  }

  private comment(): void {
    while (this.index < this.script.length && this.script[this.index] !== "\n") {
      const hole = this.holes.get(this.index);
      if (hole !== undefined) this.contexts.set(hole.start, "comment");
      this.index = hole?.end ?? this.index + 1;
    }
  }

  private dollar(): void {
    const inText = this.top().kind === "double" || this.top().kind === "heredoc";
    const next = this.script.slice(this.index + 1, this.index + 3);
    if (next === "((") return this.arithmetic(3);
    this.index += 2;
    if (next.startsWith("(")) this.stack.push(frame("code", this.index));
    else if (next.startsWith("{")) this.stack.push(frame("braces", this.top().command));
    else if (next.startsWith("'") && !inText) this.ansiQuotes();
    else this.index--;
  }

  private arithmetic(skip: number): void {
    const opened = frame("arithmetic", this.top().command);
    opened.depth = 1;
    this.stack.push(opened);
    this.index += skip;
  }

  private ansiQuotes(): void {
    while (this.index < this.script.length && this.script[this.index] !== "'") {
      const hole = this.holes.get(this.index);
      if (hole !== undefined) this.contexts.set(hole.start, "refused");
      this.index = hole?.end ?? this.index + (this.script[this.index] === "\\" ? 2 : 1);
    }
    this.index++;
  }

  private backtick(): void {
    this.index++;
    const inner = this.stack.findLastIndex(({ kind }) => kind === "backtick");
    if (inner >= 0) this.stack.splice(inner);
    else this.stack.push(frame("backtick", this.index));
  }

  private heredocStart(): boolean {
    if (this.script.startsWith("<<<", this.index)) {
      this.index += 3;
      return true;
    }
    HEREDOC.lastIndex = this.index;
    const match = HEREDOC.exec(this.script);
    const word = match?.groups?.["word"];
    if (match === null || word === undefined) return false;
    this.pending.push({
      delimiter: word.replaceAll(/\\(.)|['"]/g, "$1"),
      expands: !/['"\\]/.test(word),
      tabs: match.groups?.["tabs"] === "-",
    });
    this.index = HEREDOC.lastIndex;
    return true;
  }

  private newline(limit: number): void {
    this.index++;
    if (this.top().kind !== "double" && this.top().kind !== "heredoc") this.top().command = this.index;
    for (const heredoc of this.pending.splice(0)) this.heredocBody(heredoc, limit);
  }

  private heredocBody(heredoc: Heredoc, limit: number): void {
    const end = this.heredocEnd(heredoc, limit);
    const depth = this.stack.push(frame("heredoc", this.index));
    while (this.index < end) {
      const hole = this.holes.get(this.index);
      if (heredoc.expands) this.step(end);
      else if (hole === undefined) this.index++;
      else {
        this.contexts.set(hole.start, "refused");
        this.index = hole.end;
      }
    }
    this.stack.splice(depth - 1);
    this.top().command = this.index;
  }

  /** Where the line with the delimiter begins. */
  private heredocEnd(heredoc: Heredoc, limit: number): number {
    for (let start = this.index; start < limit;) {
      const newline = this.script.indexOf("\n", start);
      const end = newline < 0 ? limit : newline;
      const line = this.script.slice(start, end);
      if ((heredoc.tabs ? line.replace(/^\t+/, "") : line) === heredoc.delimiter) return start;
      start = end + 1;
    }
    return limit;
  }
}
