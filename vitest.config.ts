import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: [
      "test/support/global-setup.ts",
      "test/support/engine-setup.ts",
      "test/support/cluster-setup.ts",
    ],
    // Bounds against hanging, far above what a test takes: a machine that is shared runs ten times slower.
    // Most of the time is spent waiting for processes and servers.
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 180_000,
    // So that a failure names what was found, such as the file that was left behind.
    chaiConfig: { truncateThreshold: 300 },
    env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", NO_COLOR: "1" },
  },
});
