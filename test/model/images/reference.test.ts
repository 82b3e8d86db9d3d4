import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  familiarName,
  formatReference,
  parseReference,
  referenceProblem,
  repositoryOf,
  sameRepository,
  tryParseReference,
} from "../../../src/model/images/reference.js";

const DIGEST = `sha256:${"a1".repeat(32)}`;

describe("parseReference", () => {
  it.each([
    ["node", "docker.io", "library/node", "latest", null],
    ["node:22", "docker.io", "library/node", "22", null],
    ["library/node", "docker.io", "library/node", "latest", null],
    ["docker.io/node", "docker.io", "library/node", "latest", null],
    ["index.docker.io/library/node:1", "docker.io", "library/node", "1", null],
    ["x/y", "docker.io", "x/y", "latest", null],
    ["docker.io/x/y:z", "docker.io", "x/y", "z", null],
    ["host:5000/r", "host:5000", "r", "latest", null],
    ["host:5000/r:1", "host:5000", "r", "1", null],
    [`host:5000/r:1@${DIGEST}`, "host:5000", "r", "1", DIGEST],
    [`host:5000/r@${DIGEST}`, "host:5000", "r", null, DIGEST],
    [`node@${DIGEST}`, "docker.io", "library/node", null, DIGEST],
    ["localhost/r", "localhost", "r", "latest", null],
    ["localhost:5000/a/b/c:t", "localhost:5000", "a/b/c", "t", null],
    ["localhost", "docker.io", "library/localhost", "latest", null],
    ["host:5000", "docker.io", "library/host", "5000", null],
    ["ghcr.io/owner/app:v1.2.3-rc.1", "ghcr.io", "owner/app", "v1.2.3-rc.1", null],
    ["[::1]:5000/r:1", "[::1]:5000", "r", "1", null],
    ["[2001:db8::1]/a/b", "[2001:db8::1]", "a/b", "latest", null],
    ["HOST/r", "HOST", "r", "latest", null],
    ["docker.io/a.b/c", "docker.io", "a.b/c", "latest", null],
    ["library/a/b", "docker.io", "library/a/b", "latest", null],
    ["a__b/c--d.e", "docker.io", "a__b/c--d.e", "latest", null],
  ])("reads %s", (text, registry, repository, tag, digest) => {
    expect(parseReference(text)).toEqual({ registry, repository, tag, digest });
  });

  it.each([
    ["", "it has no name"],
    ["/r", "its name has an empty part"],
    ["a//b", "its name has an empty part"],
    ["docker.io/", "it has no name"],
    ["library/Node", "its name must be in lower case"],
    ["node:", "its tag is not one"],
    ["node:-1", "its tag is not one"],
    [`node:${"t".repeat(129)}`, "its tag is not one"],
    ["node@sha256:abc", "its digest is not of the form"],
    ["a".repeat(64), "it is an image id"],
    ["-x/y", "is no part of a name"],
    ["node;rm -rf", "is no part of a name"],
    ["no de", "is no part of a name"],
    [`x/${"y".repeat(300)}`, "its name is too long"],
    ["ho_st.example/r", "is no registry"],
    ["<none>:<none>", "its tag is not one"],
  ])("refuses %s", (text, why) => {
    expect(referenceProblem(text)).toContain(why);
    expect(tryParseReference(text)).toBeNull();
    expect(() => parseReference(text)).toThrow("is no image reference");
  });

  it.each([
    ["docker.io/x/y", "x/y", true],
    ["docker.io/library/node:1", "node:2", true],
    ["index.docker.io/node", "node", true],
    ["host:5000/x/y", "x/y", false],
    ["host:5000/x/y", "host:5001/x/y", false],
    ["host/x/y", "host.example/x/y", false],
    ["x/y", "x/y-extra", false],
    ["x/y", "prefix/x/y", false],
    [`x/y@${DIGEST}`, "x/y:1", true],
  ])("%s and %s are one repository: %s", (one, other, same) => {
    expect(sameRepository(parseReference(one), parseReference(other))).toBe(same);
  });

  it("gives the same reference again when it was formatted", () => {
    const part = fc.stringMatching(/^[a-z0-9]+([._-][a-z0-9]+)?$/).filter((text) => text.length <= 20);
    const registry = fc.constantFrom("", "localhost/", "host:5000/", "ghcr.io/", "docker.io/", "[::1]:80/");
    const tag = fc.constantFrom("", ":latest", ":1.2", `@${DIGEST}`, `:t@${DIGEST}`);
    fc.assert(
      fc.property(registry, fc.array(part, { minLength: 1, maxLength: 3 }), tag, (host, parts, rest) => {
        const reference = tryParseReference(`${host}${parts.join("/")}${rest}`);
        fc.pre(reference !== null);
        expect(parseReference(formatReference(reference))).toEqual(reference);
        expect(repositoryOf(parseReference(familiarName(reference)))).toBe(repositoryOf(reference));
      }),
    );
  });
});
