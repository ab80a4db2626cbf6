export LANG=de_DE.UTF-8 LC_ALL=de_DE.UTF-8
