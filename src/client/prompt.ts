import { createInterface } from "node:readline";

/**
 * Asks a person a yes-or-no question on the terminal. Everything but a clear yes is a no, also Ctrl-C and Ctrl-D.
 * @param question complete text; its last line is where the answer is typed
 */
export function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  return new Promise((resolve) => {
    let answer = "";
    let typedEnter = false;
    terminal.on("SIGINT", () => terminal.close());
    terminal.on("close", () => {
      if (!typedEnter) process.stderr.write("\n");
      resolve(/^y(es)?$/i.test(answer.trim()));
    });
    terminal.question(`${question} [y/N] `, (typed) => {
      answer = typed;
      typedEnter = true;
      terminal.close();
    });
  });
}
