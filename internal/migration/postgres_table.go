package migration

import (
	"encoding/json"
)

// pgCreateTable: https://www.postgresql.org/docs/current/sql-createtable.html
func pgCreateTable(statement node, made names) opinion {
	table, known := as[struct {
		Relation     pgTable    `json:"relation"`
		Elements     []node     `json:"tableElts"`
		Parents      []node     `json:"inhRelations"`
		Bound        anything   `json:"partbound"`
		Partitioning anything   `json:"partspec"`
		Options      []anything `json:"options"`
		OnCommit     string     `json:"oncommit"`
		Tablespace   string     `json:"tablespacename"`
		Method       string     `json:"accessMethod"`
		IfNotExists  bool       `json:"if_not_exists"`
	}](statement, "CreateStmt")
	if !known {
		return breaks("a table with a part that is not on the list of what only adds")
	}
	for _, p := range table.Parents {
		parent, known := as[pgTable](p, "RangeVar")
		switch {
		case known && made[parent.key()]:
		case table.Bound != nil:
			return breaks("a partition takes rows of a table that the former version may use, under its own constraints")
		default:
			return breaks("its rows show up in the queries of the table that it inherits from")
		}
	}
	own := table.Relation.key()
	for _, e := range table.Elements {
		if target, found := foreign(e, own, made); found {
			return breaks("a foreign key: %s can't be truncated any more, nor its rows deleted while rows here refer to them", target)
		}
	}
	if table.IfNotExists {
		return adds("a new table; where it is there already, nothing changes")
	}
	if table.Relation.Persistence != "t" {
		made[own] = true
	}
	return adds("a new table, which the former version does not use")
}

// foreign finds in a definition a foreign key to a table that the file did not make itself.
func foreign(definition node, own string, made names) (target string, found bool) {
	raw, err := json.Marshal(definition)
	if err != nil {
		return "a table", true
	}
	var tree any
	if json.Unmarshal(raw, &tree) != nil {
		return "a table", true
	}
	return foreignIn(tree, own, made)
}

func foreignIn(tree any, own string, made names) (target string, found bool) {
	switch tree := tree.(type) {
	case map[string]any:
		if tree["contype"] == "CONSTR_FOREIGN" {
			table, _ := tree["pktable"].(map[string]any)
			schema, _ := table["schemaname"].(string)
			relation, _ := table["relname"].(string)
			if key := name(schema, relation); key != own && !made[key] {
				return relation, true
			}
		}
		for _, part := range tree {
			if target, found := foreignIn(part, own, made); found {
				return target, true
			}
		}
	case []any:
		for _, part := range tree {
			if target, found := foreignIn(part, own, made); found {
				return target, true
			}
		}
	}
	return "", false
}

// pgCommand is one part of an ALTER TABLE.
type pgCommand struct {
	Subtype     string `json:"subtype"`
	Name        string `json:"name"`
	Definition  node   `json:"def"`
	Behavior    string `json:"behavior"`
	IfNotExists bool   `json:"missing_ok"`
}

// pgAlterTable: https://www.postgresql.org/docs/current/sql-altertable.html
func pgAlterTable(statement node, made names) opinion {
	alter, known := as[struct {
		Relation pgTable `json:"relation"`
		Commands []node  `json:"cmds"`
		Type     string  `json:"objtype"`
		IfExists bool    `json:"missing_ok"`
	}](statement, "AlterTableStmt")
	if !known || alter.Type != "OBJECT_TABLE" || len(alter.Commands) == 0 {
		return breaks("changes something that the former version may use")
	}
	opinions := make([]opinion, len(alter.Commands))
	for i, c := range alter.Commands {
		command, known := as[pgCommand](c, "AlterTableCmd")
		switch {
		case !known:
			opinions[i] = breaks("changes a table in a way that is not on the list of what only adds")
		case made[alter.Relation.key()]:
			opinions[i] = pgAlterNew(command, alter.Relation.key(), made)
		default:
			opinions[i] = pgAlterOld(command, made)
		}
	}
	return worst(opinions)
}

// pgAlterNew judges a change of a table that the file made itself, further up.
func pgAlterNew(command pgCommand, own string, made names) opinion {
	switch command.Subtype {
	case "AT_AddColumn", "AT_AddConstraint", "AT_SetNotNull", "AT_ColumnDefault":
	default:
		return pgAlterOld(command, made)
	}
	if target, found := foreign(command.Definition, own, made); found {
		return breaks("a foreign key: %s can't be truncated any more, nor its rows deleted while others refer to them", target)
	}
	return adds("completes a table that this file makes")
}

// pgAlterOld judges a change of a table that the former version may use.
func pgAlterOld(command pgCommand, made names) opinion {
	switch command.Subtype {
	case "AT_AddColumn":
		return pgAddColumn(command, made)
	case "AT_AddConstraint":
		constraint, _ := as[pgConstraint](command.Definition, "Constraint")
		if why, known := pgConstraints[constraint.Type]; known {
			return breaks("%s", why)
		}
		return breaks("a constraint, which may refuse what the former version writes")
	}
	if why, known := pgAlterations[command.Subtype]; known {
		return breaks("%s", why)
	}
	return breaks("changes a table in a way that is not on the list of what only adds (%s)", command.Subtype)
}

var pgAlterations = map[string]string{
	"AT_AlterColumnType":    "changes a column's type",
	"AT_AttachPartition":    "a partition takes rows of a table that the former version may use",
	"AT_ChangeOwner":        "changes who owns a table, and so rights",
	"AT_ColumnDefault":      "changes the default that the former version may rely on",
	"AT_DetachPartition":    "takes rows out of a table that the former version may use",
	"AT_DropColumn":         "drops a column that the former version may use",
	"AT_DropConstraint":     "drops a constraint that the former version may rely on",
	"AT_DropNotNull":        "the former version may read a NULL where it expects none",
	"AT_EnableRowSecurity":  "changes which rows the former version sees or may write",
	"AT_AddInherit":         "its rows show up in the queries of the table that it inherits from",
	"AT_SetNotNull":         "NOT NULL: the former version may leave the column out",
	"AT_SetExpression":      "changes how a column is computed",
	"AT_ValidateConstraint": "checks a constraint against data that the former version wrote",
	"AT_AddIndexConstraint": "UNIQUE: the former version may write a value twice",
	"AT_DisableTrig":        "a trigger that the former version may rely on runs no more",
	"AT_EnableTrig":         "a trigger runs on what the former version writes",
	"AT_SetIdentity":        "changes how the column's values are drawn",
	"AT_AddIdentity":        "changes how the column's values are drawn",
	"AT_DropIdentity":       "changes how the column's values are drawn",
	"AT_ForceRowSecurity":   "changes which rows the former version sees or may write",
	"AT_DisableTrigAll":     "triggers that the former version may rely on run no more",
	"AT_SetUnLogged":        "the table's rows do not survive a crash any more",
	"AT_EnableTrigAll":      "triggers run on what the former version writes",
}
