// Everything exported here is a promise to users.
export { EncodedConfig, encodeConfig, type JsonInput, type JsonValue } from '../shared/codec.ts';
export { RegistryError, type RegistryErrorCode } from '../shared/errors.ts';
export { Bindings, type BindOptions } from './bindings.ts';
export type { Entry, OwnerInfo } from './entry.ts';
export { AlreadyRegisteredError } from './errors.ts';
export { Groups } from './groups.ts';
export type { Change } from './kind-changes.ts';
export { type GroupMember, type MemberOptions, Membership } from './membership.ts';
export type { RegisterOptions, RegistryOptions } from './options.ts';
export { Owner } from './owner.ts';
export { Ref } from './ref.ts';
export { Registration } from './registration.ts';
export { Registry, type RegistryHandle, type TryRegisterResult } from './registry.ts';
export type { PartitionStats } from './stats.ts';
export type { StateIterator } from './wait.ts';
export type { AwaitOptions, WatchOptions } from './watches.ts';
