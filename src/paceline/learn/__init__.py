"""Learning: policies trained on logged decisions and in environments; checkpoints; serving.

    env = BatchExecutionEnv(pool, 16)
    run = Run(updates=100_000, mode="compiled")
    learner = QuantileDQN(
        QuantileDQNSettings(risk=Risk(cvar_weight=0.5)), N_FEATURES, len(env.grid), run
    )
    buffer = new_replay(run.replay, N_FEATURES, len(env.grid))
    collector = Collector(env, run.collecting, locked=normalizer.locked())
    training = Training(
        learner, buffer, "out/run", origin=Origin(env.grid, normalizer), collector=collector
    )
    training.resume()                              # nothing to go on from is no error
    training.go()
    policy = load_policy(checkpoints("out/run")[-1], grid=env.grid)

Whoever trains needs PyTorch (`pip install 'paceline[learn]'`); whoever serves needs safetensors.
"""
