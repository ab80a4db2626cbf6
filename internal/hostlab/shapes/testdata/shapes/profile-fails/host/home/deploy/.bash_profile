. /opt/nvm/nvm.sh
test -e /opt/nvm && nvm use 20
