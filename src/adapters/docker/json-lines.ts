import { StringDecoder } from "node:string_decoder";

/**
 * Reads a stream of JSON values, one a line. The last line counts also without a newline; a stream that is cut throws
 * what cut it; a line that is no JSON is given as null.
 */
export async function* jsonLines(stream: AsyncIterable<unknown>): AsyncGenerator {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  for await (const chunk of stream) {
    rest += typeof chunk === "string" ? chunk : Buffer.isBuffer(chunk) ? decoder.write(chunk) : "";
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") yield parsed(line);
  }
  rest += decoder.end();
  if (rest.trim() !== "") yield parsed(rest);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
