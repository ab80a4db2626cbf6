package migration

import (
	"github.com/pingcap/tidb/pkg/parser/ast"
)

// myCreateIndex: https://dev.mysql.com/doc/refman/8.4/en/create-index.html
func myCreateIndex(s *ast.CreateIndexStmt, made names) opinion {
	switch {
	case !only(s, "IfNotExists", "IndexName", "Table", "IndexPartSpecifications", "IndexOption", "KeyType", "LockAlg"):
		return breaks("an index with a part that is not on the list of what only adds")
	case made[myName(s.Table)]:
		return adds("an index on a table that this file makes")
	case s.KeyType == ast.IndexKeyTypeUnique:
		return breaks("UNIQUE: the former version may write a value twice")
	case s.KeyType != ast.IndexKeyTypeNone:
		return breaks("an index of a kind that is not on the list of what only adds")
	}
	return myPlainIndex(s.IndexPartSpecifications, s.IndexOption)
}

func myAddConstraint(c *ast.Constraint, isNew bool, own string, made names) opinion {
	if target, found := myForeign(c.Refer, own, made); found {
		return breaks("a foreign key: %s can't be truncated any more, nor its rows deleted while others refer to them", target)
	}
	if isNew {
		return adds("completes a table that this file makes")
	}
	switch c.Tp {
	case ast.ConstraintKey, ast.ConstraintIndex:
		if !only(c, "IfNotExists", "Tp", "Name", "Keys", "Option", "IsEmptyIndex") {
			return breaks("an index with a part that is not on the list of what only adds")
		}
		return myPlainIndex(c.Keys, c.Option)
	case ast.ConstraintPrimaryKey:
		return breaks("PRIMARY KEY: the former version may write a value twice, or none")
	case ast.ConstraintUniq, ast.ConstraintUniqKey, ast.ConstraintUniqIndex:
		return breaks("UNIQUE: the former version may write a value twice")
	case ast.ConstraintForeignKey:
		return breaks("a foreign key: it may refuse what the former version writes or deletes")
	case ast.ConstraintCheck:
		return breaks("CHECK: it may refuse what the former version writes")
	}
	return breaks("an index of a kind that is not on the list of what only adds")
}

// myPlainIndex judges an index that refuses nothing by its kind.
func myPlainIndex(parts []*ast.IndexPartSpecification, option *ast.IndexOption) opinion {
	if option != nil && !only(option, "KeyBlockSize", "Tp", "Comment", "Visibility") {
		return breaks("an index with a part that is not on the list of what only adds")
	}
	for _, p := range parts {
		if !only(p, "Column", "Length", "Desc") {
			return breaks("an index on an expression, which is evaluated on each write of the former version, and may fail")
		}
	}
	return adds("a new plain index: nothing is refused by it")
}
