import { DefaultFailureConverter } from "@temporalio/common";
import type {
  FailureConverter,
  PayloadConverter,
  ProtoFailure,
  SerializationContext,
} from "@temporalio/common";
import { isSealed } from "./sealed.js";

type Rest = [converter: PayloadConverter, context?: SerializationContext];

const plain = new DefaultFailureConverter();
const sealed = new DefaultFailureConverter({ encodeCommonAttributes: true });

/** The bundle's: it writes messages and stacks of a sealed workflow's failures into a payload, which the worker encrypts. */
export const failureConverter: FailureConverter = {
  errorToFailure: (error: unknown, ...rest: Rest): ProtoFailure =>
    (isSealed() ? sealed : plain).errorToFailure(error, ...rest),
  failureToError: (failure: ProtoFailure, ...rest: Rest) => plain.failureToError(failure, ...rest),
};
