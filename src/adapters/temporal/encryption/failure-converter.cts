import common = require("@temporalio/common");

/** Loaded by the SDK, with `require`: messages and stacks of failures become a payload, which the codec encrypts. */
const failureConverter: common.FailureConverter = new common.DefaultFailureConverter({
  encodeCommonAttributes: true,
});

export = { failureConverter };
