/** Aborted by the first SIGTERM or SIGINT; the second one ends the process at once, as the shell reports signals. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(code);
      stop.abort();
    });
  }
  return stop.signal;
}
