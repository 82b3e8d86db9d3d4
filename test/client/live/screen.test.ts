import { describe, expect, it } from "vitest";
import { Screen } from "../../../src/client/live/screen.js";

const ESC = "\u001B";

function terminal(colors: boolean) {
  const state = { columns: 40, written: "" };
  const screen = new Screen({
    columns: () => state.columns,
    colors,
    write: async (text) => void (state.written += text),
  });
  return { state, screen };
}

describe("a screen", () => {
  it("draws over what it drew before, and the same again not at all", async () => {
    const { state, screen } = terminal(false);
    await screen.draw([{ text: "one", look: "good" }]);
    await screen.draw([{ text: "one", look: "good" }]);
    expect(state.written).toBe(`one${ESC}[K\n${ESC}[J`);
    state.written = "";
    await screen.draw([{ text: "two", look: "good" }]);
    expect(state.written).toBe(`${ESC}[1A\rtwo${ESC}[K\n${ESC}[J`);
  });

  it("finds the beginning again after the terminal was made narrower and has broken the lines", async () => {
    const { state, screen } = terminal(false);
    await screen.draw([
      { text: "x".repeat(40), look: "plain" },
      { text: "y", look: "plain" },
    ]);
    state.columns = 15;
    state.written = "";
    await screen.draw([{ text: "z", look: "plain" }]);
    expect(state.written.startsWith(`${ESC}[4A\r`)).toBe(true);
  });

  it("colours only where that is wanted", async () => {
    const { state, screen } = terminal(true);
    await screen.draw([{ text: "bad", look: "bad" }]);
    expect(state.written).toContain(`${ESC}[31mbad${ESC}[39m`);
  });
});
