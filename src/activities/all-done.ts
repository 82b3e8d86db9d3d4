/**
 * Waits for both also when one fails, so that nothing goes on behind the attempt's back.
 * @throws what the first one throws, else what the other does
 */
export async function allDone<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([one, other]);
  return [await one, await other];
}
