"""The driver on a cluster: told its task by the environment, watched through a ConfigMap, ended by signals.

variables -> checks -> Ray cluster -> a stage of the job -> result or failure -> exit code
                         |                  |
                         '- progress writer -> ConfigMap (a thread of its own; never in the way)
"""
