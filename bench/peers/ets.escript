#!/usr/bin/env escript
%% -*- erlang -*-
%%! +Bi
%% Two registries on ETS, the tables of Erlang: as gproc does it (one gen_server owns the table and makes all changes;
%% lookups read the table in the caller), and 16 public tables that every process changes itself.
%%
%% Arguments: how many names, the hot ones' numbers separated by commas, and the config.
%% Each line of the standard input is a command, answered by one line; at its end the node halts:
%%   round REGISTRY OPERATION PROCESSES MS    answers OPERATIONS NANOSECONDS CHECKSUM of all processes, from the first's start to the last's end
%%   death NAMES                              answers the nanoseconds from a process's end to the end of its last name
-mode(compile).
-behaviour(gen_server).
-export([main/1, init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(SHARDS, 16).
-define(PASS, 1000).

main([Count, Hot, Config]) ->
    persistent_term:put(config, list_to_binary(Config)),
    persistent_term:put(hot, list_to_tuple([key(list_to_integer(N)) || N <- string:tokens(Hot, ",")])),
    Options = [set, public, {read_concurrency, true}, {write_concurrency, auto}],
    persistent_term:put(shards, list_to_tuple([ets:new(shard, Options) || _ <- lists:seq(1, ?SHARDS)])),
    {ok, Server} = gen_server:start_link(?MODULE, [], []),
    persistent_term:put(server, Server),
    lists:foreach(fun(N) -> register_name(gproc, key(N)), register_name(sharded, key(N)) end,
                  lists:seq(0, list_to_integer(Count) - 1)),
    io:format("ready~n"),
    serve().

serve() ->
    case io:get_line("") of
        eof -> halt(0);
        Line ->
            io:format("~s~n", [command(string:tokens(string:trim(Line), " "))]),
            serve()
    end.

command(["round", Registry, Operation, Processes, Ms]) ->
    Results = round(list_to_atom(Registry), list_to_atom(Operation), list_to_integer(Processes), list_to_integer(Ms)),
    {Operations, Begun, Ended, Checksums} = lists:foldl(
        fun({O, B, E, C}, {Os, Bs, Es, Cs}) -> {Os + O, min(B, Bs), max(E, Es), Cs + C} end, hd(Results), tl(Results)),
    io_lib:format("~b ~b ~b", [Operations, Ended - Begun, Checksums]);
command(["death", Names]) ->
    integer_to_list(death(list_to_integer(Names))).

%% A name is a kind and an id.
key(N) -> {server, list_to_binary(io_lib:format("server-~13..0b", [N]))}.

table(gproc, _) -> persistent_term:get(gproc);
table(sharded, Key) -> element(erlang:phash2(Key, ?SHARDS) + 1, persistent_term:get(shards)).

%% What a registry can do. A row is {Key, Owner, Config}.
owner(Registry, Key) -> ets:lookup_element(table(Registry, Key), Key, 2).

read(Registry, Key) ->
    [{_, _, Config}] = ets:lookup(table(Registry, Key), Key),
    byte_size(Config).

register_name(gproc, Key) ->
    true = gen_server:call(persistent_term:get(server), {register, Key, self(), persistent_term:get(config)});
register_name(sharded, Key) ->
    true = ets:insert_new(table(sharded, Key), {Key, self(), persistent_term:get(config)}).

unregister_name(gproc, Key) ->
    true = gen_server:call(persistent_term:get(server), {unregister, Key});
unregister_name(sharded, Key) ->
    true = ets:delete(table(sharded, Key), Key).

update(gproc, Key) ->
    true = gen_server:call(persistent_term:get(server), {update, Key, persistent_term:get(config)});
update(sharded, Key) ->
    true = ets:update_element(table(sharded, Key), Key, {3, persistent_term:get(config)}).

%% The gen_server of the gproc way.
init([]) ->
    persistent_term:put(gproc, ets:new(gproc, [set, protected, {read_concurrency, true}])),
    {ok, #{}}.

handle_call({register, Key, Owner, Config}, _, Monitors) ->
    Known = case Monitors of
        #{Owner := _} -> Monitors;
        _ -> Monitors#{Owner => monitor(process, Owner)}
    end,
    {reply, ets:insert_new(persistent_term:get(gproc), {Key, Owner, Config}), Known};
handle_call({unregister, Key}, _, Monitors) ->
    {reply, ets:delete(persistent_term:get(gproc), Key), Monitors};
handle_call({update, Key, Config}, _, Monitors) ->
    {reply, ets:update_element(persistent_term:get(gproc), Key, {3, Config}), Monitors}.

handle_cast(_, Monitors) -> {noreply, Monitors}.

handle_info({'DOWN', _, process, Owner, _}, Monitors) ->
    ets:match_delete(persistent_term:get(gproc), {'_', Owner, '_'}),
    {noreply, maps:remove(Owner, Monitors)}.

%% Every process passes over the hot names, beginning at another one each, until the time is over.
round(Registry, Operation, Processes, Ms) ->
    Self = self(),
    Pids = [spawn_link(fun() -> Self ! {self(), worker(Registry, Operation, N, Ms)} end) || N <- lists:seq(1, Processes)],
    [receive {Pid, Result} -> Result end || Pid <- Pids].

worker(Registry, Operation, N, Ms) ->
    Started = erlang:monotonic_time(nanosecond),
    Keys = case Operation of
        cycle -> list_to_tuple([{other, {N, I}} || I <- lists:seq(1, ?PASS)]);
        _ -> persistent_term:get(hot)
    end,
    Begun = erlang:monotonic_time(nanosecond),
    passes(Registry, Operation, Keys, N * 37, Begun, Begun + (Ms * 1000000 - (Begun - Started)), 0, 0).

passes(Registry, Operation, Keys, At, Begun, Until, Operations, Checksum) ->
    Sum = pass(Registry, Operation, Keys, At, ?PASS, Checksum),
    Now = erlang:monotonic_time(nanosecond),
    if
        Now >= Until -> {Operations + ?PASS, Begun, Now, Sum};
        true -> passes(Registry, Operation, Keys, At, Begun, Until, Operations + ?PASS, Sum)
    end.

pass(_, _, _, _, 0, Sum) -> Sum;
pass(Registry, owner, Keys, At, Left, Sum) ->
    true = is_pid(owner(Registry, element(At rem ?PASS + 1, Keys))),
    pass(Registry, owner, Keys, At + 1, Left - 1, Sum + 1);
pass(Registry, read, Keys, At, Left, Sum) ->
    pass(Registry, read, Keys, At + 1, Left - 1, Sum + read(Registry, element(At rem ?PASS + 1, Keys)));
pass(Registry, update, Keys, At, Left, Sum) ->
    true = update(Registry, element(At rem ?PASS + 1, Keys)),
    pass(Registry, update, Keys, At + 1, Left - 1, Sum + 1);
pass(Registry, cycle, Keys, At, Left, Sum) ->
    Key = element(At rem ?PASS + 1, Keys),
    true = register_name(Registry, Key),
    true = unregister_name(Registry, Key),
    pass(Registry, cycle, Keys, At + 1, Left - 1, Sum + 1).

%% A process with so many names in the gproc way ends; they are gone when the last one is.
death(Names) ->
    Self = self(),
    Owner = spawn(fun() ->
        lists:foreach(fun(N) -> register_name(gproc, {mortal, N}) end, lists:seq(1, Names)),
        Self ! registered,
        receive never -> ok end
    end),
    receive registered -> ok end,
    Sample = [{mortal, N} || N <- lists:seq(1, Names, max(1, Names div 1000))],
    Started = erlang:monotonic_time(nanosecond),
    exit(Owner, kill),
    until_gone(Sample, Started).

until_gone([], Started) -> erlang:monotonic_time(nanosecond) - Started;
until_gone([Key | Rest] = Keys, Started) ->
    case ets:member(persistent_term:get(gproc), Key) of
        true -> until_gone(Keys, Started);
        false -> until_gone(Rest, Started)
    end.
