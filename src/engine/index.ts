// Everything exported here is a promise to users.
export { EncodedConfig, encodeConfig, type JsonInput, type JsonValue } from '../shared/codec.ts';
export { RegistryError, type RegistryErrorCode } from '../shared/errors.ts';
export { Admission, AdmissionRefusedError, type AdmissionState } from './admission.ts';
export {
  type AlarmEvents,
  type AlarmReason,
  Alarms,
  type ContentionStatus,
  type ShardContention,
} from './contention.ts';
export { Counter, type CounterOptions, Counters } from './counters.ts';
export type { Entry, OwnerInfo } from './entry.ts';
export { AlreadyRegisteredError } from './errors.ts';
export type { OwnerOptions, RegisterOptions, RegistryOptions } from './options.ts';
export { Owner } from './owner.ts';
export { Properties, PropertiesView } from './properties.ts';
export { Ref } from './ref.ts';
export { Registration } from './registration.ts';
export { Registry, type RegistryHandle, type TryRegisterResult } from './registry.ts';
export type { LatencyStats, PartitionStats } from './stats.ts';
