"""The custom resource definition, made from the models: schema, defaults, help texts, rules in CEL.

structure  models -> structural OpenAPI schema       rules      rules of blocks and between blocks, in CEL
definition the whole object, with printer columns    generate   `make generate`: writes every generated file
"""
