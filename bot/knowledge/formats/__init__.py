"""Files that articles are read from, a module a kind. Each gives plain `ArticleFile`s; what is wrong with a
file is an InvalidInput of lines `file:line: what is wrong`.
"""
